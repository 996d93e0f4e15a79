import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

import { mqttUrl, s3Access } from './environment';

const run = promisify(execFile);
const FOLDER = path.resolve(__dirname, '../../../services');

/** Runs the script of a service with the settings of this environment. */
async function service(script: 'ceph-rgw' | 'mosquitto', ...command: string[]): Promise<string> {
  const { stdout } = await run('bash', [path.join(FOLDER, `${script}.sh`), ...command]);
  return stdout;
}

/** The gateway's process. Never that of other services than those that these tests were started with. */
async function gatewayPid(): Promise<number> {
  const status = await service('ceph-rgw', 'status');
  const pid = /client\.rgw (\d+)/.exec(status)?.[1];
  if (pid === undefined || !status.includes(` ${s3Access().endpoint} `)) {
    throw new Error(`the S3 gateway that the scripts know is not the one of this environment: ${status}`);
  }
  return Number(pid);
}

/** Ends the gateway as a crash does. */
export async function killGateway(): Promise<void> {
  process.kill(await gatewayPid(), 'SIGKILL');
}

/** Starts the gateway if it does not run, and waits until it answers. */
export async function startGateway(): Promise<void> {
  await service('ceph-rgw', 'start');
}

/** Lets the gateway stand still; its connections stay open. The answer lets it go on. */
export async function freezeGateway(): Promise<() => void> {
  const pid = await gatewayPid();
  process.kill(pid, 'SIGSTOP');
  return () => {
    process.kill(pid, 'SIGCONT');
  };
}

/** A further user of the gateway, who owns nothing and may do nothing that no policy allows. */
export async function addGatewayUser(name: string, accessKey: string, secretKey: string): Promise<void> {
  await service('ceph-rgw', 'add-user', name, accessKey, secretKey);
}

export async function removeGatewayUser(name: string): Promise<void> {
  await service('ceph-rgw', 'remove-user', name);
}

/** Stops the broker as a service manager does, and starts it again with what it kept. */
export async function restartBroker(): Promise<void> {
  const status = await service('mosquitto', 'status');
  if (!status.includes(` ${mqttUrl()} `)) {
    throw new Error(`the broker that the scripts know is not the one of this environment: ${status}`);
  }
  await service('mosquitto', 'stop');
  await service('mosquitto', 'start');
}
