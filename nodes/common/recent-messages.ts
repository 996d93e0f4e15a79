/** A message that an s3-batch-out took a while ago. */
export interface RecentMessage {
  topic: string;
  /** Undefined when it was too long to be kept. */
  payload: Buffer | undefined;
}

const TOPICS = 20;
const LONGEST_TOPIC = 1024;
const LONGEST_PAYLOAD = 16 * 1024;
/** Of all messages in this time, ms, the first are looked at, as many as there may be topics: a busy flow must not pay. */
const WINDOW = 2000;

/**
 * The last messages of some topics, for whoever makes a layout and wants to see what it does to them: of each of the
 * last 20 topics one message, at most 340 KiB in all, in memory only.
 */
export class RecentMessages {
  /** By topic, the latest last. */
  readonly #messages = new Map<string, RecentMessage>();
  #windowStart = -Infinity;
  #looked = 0;

  /** @param now ms since the epoch */
  add(topic: string, payload: Buffer, now: number): void {
    if (now - this.#windowStart >= WINDOW || now < this.#windowStart) {
      this.#windowStart = now;
      this.#looked = 0;
    }
    if (this.#looked === TOPICS) return;
    this.#looked++;
    if (topic.length > LONGEST_TOPIC) return;
    this.#messages.delete(topic);
    // A payload may be a piece of something larger, which would stay in memory with it.
    const copy = payload.length > LONGEST_PAYLOAD ? undefined : Buffer.from(payload);
    this.#messages.set(topic, { topic, payload: copy });
    if (this.#messages.size <= TOPICS) return;
    for (const oldest of this.#messages.keys()) {
      this.#messages.delete(oldest);
      break;
    }
  }

  /** The latest first. */
  list(): RecentMessage[] {
    return [...this.#messages.values()].reverse();
  }
}

/** By the id of the layout, those of the nodes that use it; '' for the nodes without a layout. */
const byLayout = new Map<string, Set<RecentMessages>>();

/** Makes them found by {@link recentMessagesOf}. Answers what ends that. */
export function shareRecentMessages(layout: string, messages: RecentMessages): () => void {
  const sharing = byLayout.get(layout) ?? new Set();
  byLayout.set(layout, sharing.add(messages));
  return () => {
    sharing.delete(messages);
    if (sharing.size === 0) byLayout.delete(layout);
  };
}

/** What the nodes that use a layout took lately: of each topic one message. */
export function recentMessagesOf(layout: string): RecentMessage[] {
  const all = [...(byLayout.get(layout) ?? [])].flatMap((messages) => messages.list());
  const byTopic = new Map(all.map((message) => [message.topic, message]));
  return [...byTopic.values()].slice(0, TOPICS);
}
