import { parseArgs } from 'node:util';

import { messageOf } from '../lib/errors';
import { deploy, exampleFlow, type Plant, startPlant } from './embedded';
import { runOnce } from './once';

// The AWS SDK says at each start that it will not know Node.js 20 for ever. Who looks at a demo need not hear it.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

const HELP = `npm run demo                  a welding plant to look at, until Ctrl-C
npm run demo -- --once        publish, store, query, compare, and end
  --messages N                how many messages (20000)
  --json                      print nothing but one line of JSON
  --port N                    of the editor (1880, or any free one when that is taken)`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      messages: { type: 'string', default: '20000' },
      json: { type: 'boolean', default: false },
      port: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const count = Number(values.messages);
  if (!Number.isInteger(count) || count < 1000)
    throw new Error('--messages takes a whole number from 1000 on');
  const log = (line: string): void => {
    if (!values.json) console.log(line);
  };
  const editor = values.once ? 0 : Number(values.port ?? 1880);
  const plant = await start(editor, values.port === undefined);
  try {
    if (!values.once) {
      await show(plant);
      return 0;
    }
    const result = await runOnce(plant, count, log);
    console.log(JSON.stringify(result));
    return 0;
  } finally {
    await plant.stop();
  }
}

async function start(editor: number, orAnyPort: boolean): Promise<Plant> {
  try {
    return await startPlant({ editor, mqtt: 0, s3: 0 });
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    if (taken && orAnyPort) return startPlant({ editor: 0, mqtt: 0, s3: 0 });
    throw error;
  }
}

/** Lets the plant weld until Ctrl-C. */
async function show(plant: Plant): Promise<void> {
  for (const bucket of ['plant-1', 'plant-2', 'plant-3']) await plant.createBucket(bucket);
  await deploy(plant, await exampleFlow('welding-plant'));
  console.log(`
The welding plant is running.

  Node-RED editor   ${plant.editorUrl}
  MQTT broker       ${plant.mqttUrl}
  S3 server         ${plant.s3.url}   (access key demo, secret key demo-secret-key, region us-east-1)

Stations publish weld spots. Press the button of "store now" to see objects at once, then the button of
"PLANT-1, WELDING-STATION-3" to get the spots of one station back. Ctrl-C ends all of it and leaves nothing.
`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  console.log('Stopping …');
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`demo: ${messageOf(error)}`);
    process.exit(1);
  },
);
