import { createRequire } from 'node:module';

const ofEditorApi = createRequire(createRequire(__filename).resolve('@node-red/editor-api'));
const { hashSync } = ofEditorApi('bcryptjs') as { hashSync: (password: string, rounds: number) => string };

/** An entry of settings.js by which users log in, each with the name for a password; by name, what they may do. */
export function adminAuth(permissions: Readonly<Record<string, string | string[]>>): object {
  return {
    type: 'credentials',
    users: Object.entries(permissions).map(([username, allowed]) => ({
      username,
      password: hashSync(username, 4),
      permissions: allowed,
    })),
  };
}

/** Logs in as the editor does. Answers the token that requests come with. */
export async function tokenOf(url: string, username: string): Promise<string> {
  const response = await fetch(`${url}/auth/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      client_id: 'node-red-admin',
      grant_type: 'password',
      scope: '',
      username,
      password: username,
    }),
  });
  const { access_token: token } = (await response.json()) as { access_token: string };
  return token;
}
