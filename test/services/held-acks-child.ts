import { Receiver, type ReceiverSettings } from './held-acks-receiver';

/** A process that holds what it gets and tells how many those are, until it is killed. */
const receiver = new Receiver(JSON.parse(process.argv[2] ?? '') as ReceiverSettings);
receiver.onMessage = () => process.send?.(receiver.received.length);
