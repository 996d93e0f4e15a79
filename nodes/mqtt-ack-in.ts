import type { IClientOptions, IPublishPacket } from 'mqtt';
import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';

import { acknowledgements, type AcknowledgeWhen } from '../lib/delivery/acknowledgements';
import { type Broker, brokerOf } from '../lib/delivery/held-broker';
import { endSession } from '../lib/delivery/held-registry';
import { HeldSession, type HeldSessionEvents } from '../lib/delivery/held-session';
import { S3BatchError } from '../lib/errors';
import { TopicFilter } from '../lib/layout';
import { AckStatus } from './common/ack-status';
import { errorStatus } from './common/error-status';
import { DeployWatch } from './common/deploy-watch';
import { type Datatype, mqttMessage, payloadAs } from './common/mqtt-message';
import { readSettings } from './common/refuse';
import { textsOf } from './common/texts';
import { ageText, asError, type Done, numberOf, type Send } from './common/types';

interface Config extends NodeDef {
  broker: string;
  topic: string;
  qos: string | number;
  clientId: string;
  datatype: Datatype;
  acknowledge: AcknowledgeWhen;
  window: string | number;
  sessionExpiry: string | number;
  timeLimit: string | number;
}

/** What Node-RED's broker settings node has for the nodes that use it. */
interface BrokerNode extends Node {
  broker?: string;
  brokerurl?: string;
  clientid?: string;
  options?: IClientOptions;
}

/** The largest number in two bytes, and in four: MQTT 5 takes it as "never". */
const MOST_MESSAGES = 0xffff;
const LONGEST_EXPIRY = 0xffffffff;
/** What Node-RED gives a node to close, unless its settings say otherwise, ms. */
const NODE_CLOSE_TIMEOUT = 15_000;
/** How long a deploy waits for journals to be written, ms. */
const DEPLOY_WAIT = 1000;
/** How long the broker of a removed node is waited for, ms. */
const END_TIMEOUT = 5000;
const SHARE = '$share/';

export = function (RED: NodeAPI): void {
  const text = textsOf(RED, 'mqtt-ack-in.error');
  const deploys = new DeployWatch(RED);

  function MqttAckInNode(this: Node, stored: Config): void {
    RED.nodes.createNode(this, stored);
    const config = readSettings(RED, this, 'mqtt-ack-in', stored);
    if (!config) return;
    const clientId = config.clientId.trim() || `s3-batch-${this.id}`;
    let broker: Broker;
    let session: HeldSession;
    try {
      const settings = RED.nodes.getNode(config.broker) as BrokerNode | null;
      broker = brokerFor(settings, clientId);
      session = new HeldSession(
        {
          ...{ broker, clientId, topic: filterOf(config.topic) },
          qos: Number(config.qos) === 2 ? 2 : 1,
          when: config.acknowledge === 'stored' ? 'stored' : 'journaled',
          window: between(1, MOST_MESSAGES, numberOf(config.window, 20)),
          sessionExpiry: between(0, LONGEST_EXPIRY, numberOf(config.sessionExpiry, 86_400)),
          timeLimit: Math.max(1, numberOf(config.timeLimit, 600)),
        },
        eventsOf(this, config, isLocal(settings)),
      );
    } catch (error) {
      this.status(errorStatus(RED, asError(error)));
      this.error(asError(error).message);
      return;
    }
    const status = new AckStatus(RED, this, session);
    deploys.whenStarted(() => {
      session.start();
    });
    // Node-RED delivers to nobody what is sent to a node that a deploy has stopped and not yet started.
    const unwatch = deploys.watch({
      stopping: () => {
        session.pause();
      },
      started: () => {
        session.resume();
      },
    });

    this.on('input', (message: NodeMessage, _send: Send, done: Done) => {
      acknowledgements.dismiss(message._msgid);
      done();
    });

    this.on('close', (removed: boolean, done: () => void) => {
      status.stop();
      unwatch();
      void session.close(closeWait(config)).then(async () => {
        if (removed && isGone(this.id)) await forget(this, broker, clientId);
        done();
      });
    });

    function eventsOf(node: Node, { datatype }: Config, isLocalBroker: boolean): HeldSessionEvents {
      return {
        message: (packet, messageId) => {
          status.heard();
          send(node, packet, messageId, datatype, isLocalBroker);
        },
        changed: () => {
          status.changed();
        },
        failed: (error) => {
          node.warn(error.message);
        },
        sentAgain: ({ count, oldest }, age, next) => {
          node.warn(
            text('sentAgain', { count, topic: oldest?.topic, age: ageText(age), next: ageText(next) }),
          );
        },
        waiting: ({ count, oldest }, age) => {
          node.warn(text('waiting', { count, topic: oldest?.topic, age: ageText(age) }));
        },
      };
    }
  }

  /** How long nodes are given to release what they have, ms. */
  function closeWait({ acknowledge }: Config): number {
    // A deploy keeps batches open, so nothing in them is going to be stored by it.
    if (deploys.deploying) return acknowledge === 'stored' ? 0 : DEPLOY_WAIT;
    const { nodeCloseTimeout = NODE_CLOSE_TIMEOUT } = RED.settings as { nodeCloseTimeout?: number };
    return (nodeCloseTimeout * 2) / 3;
  }

  /** False for a node that is only disabled, itself or with its flow: it may come back, and the broker keeps its messages. */
  function isGone(id: string): boolean {
    let isThere = false;
    RED.nodes.eachNode((node) => {
      isThere ||= node.id === id;
    });
    return !isThere;
  }

  /** A session of a node that is gone would collect messages for ever. */
  async function forget(node: Node, broker: Broker, clientId: string): Promise<void> {
    try {
      await endSession(broker, clientId, END_TIMEOUT);
    } catch (error) {
      node.warn(text('notEnded', { clientId, broker: broker.name, error: asError(error).message }));
    }
  }

  RED.nodes.registerType('mqtt-ack-in', MqttAckInNode);
};

/** A message that cannot be sent on stays unacknowledged: a catch node gets it, with the id that ends it. */
function send(
  node: Node,
  packet: IPublishPacket,
  messageId: string | undefined,
  datatype: Datatype,
  isLocalBroker: boolean,
): void {
  const message = mqttMessage(packet, messageId);
  try {
    message.payload = payloadAs(datatype, message.payload as Buffer, message);
    if (isLocalBroker) message._topic = message.topic;
    node.send(message);
  } catch (error) {
    node.error(asError(error).message, message);
  }
}

/** @throws BROKER_INVALID */
function brokerFor(node: BrokerNode | null, clientId: string): Broker {
  if (!node?.brokerurl || !node.options)
    throw new S3BatchError(
      'BROKER_INVALID',
      'no broker settings are chosen, or they are disabled: choose them in the dialogue of the node',
    );
  if (node.options.clientId === clientId)
    throw new S3BatchError(
      'BROKER_INVALID',
      `the client id "${clientId}" is that of the broker settings, whose own nodes use it: give this node another`,
    );
  return brokerOf(node.brokerurl, node.options);
}

/** `mqtt in` tells the topic twice then; see there. */
function isLocal(node: BrokerNode | null): boolean {
  return node?.broker === 'localhost' || node?.broker === '127.0.0.1';
}

/** @throws BROKER_INVALID */
function filterOf(topic: string): string {
  const filter = topic.trim();
  const own = filter.startsWith(SHARE) ? /^[^#+/]+\/(.+)$/.exec(filter.slice(SHARE.length))?.[1] : filter;
  if (own !== undefined && own !== '' && TopicFilter.parse(own)) return filter;
  throw new S3BatchError(
    'BROKER_INVALID',
    `the topic "${filter}" is no MQTT topic filter: use levels, + and a trailing #, or $share/group/ before them`,
  );
}

function between(least: number, most: number, value: number): number {
  return Math.min(most, Math.max(least, Math.round(value)));
}
