import { refusal } from '../batch/early-records';
import { S3BatchError } from '../errors';
import { parseAnnouncement } from './announcement';
import type { BackupBook } from './backup-book';
import type { KnownAnnouncements } from './backup-known';
import { DIGEST_LENGTH } from './digest';

/** Digests counted in one turn of the event loop: each takes up to 1 µs. */
const A_TURN = 2000;

/** Control messages that wait; with more, the event loop waits for them. */
const MOST_WAITING = 8;

interface Part {
  digests: Buffer;
  /** Digests for which there was no room. */
  left: number;
  ended: (error?: S3BatchError) => void;
}

/** Counts announced digests in the book, a large control message in several turns of the event loop. */
export class BackupAnnouncements {
  /** Those that are not counted to their end, in the order they came. */
  readonly #parts: Part[] = [];
  #isDueSoon = false;
  /** Messages that were held when they were announced. */
  announced = 0;
  /** Control messages that count, and those that came once more. */
  readonly counts = { announcements: 0, repeated: 0 };

  /**
   * @param now in the book's time
   * @param room how many digests may yet wait for their messages
   */
  constructor(
    private readonly book: BackupBook,
    private readonly known: KnownAnnouncements,
    private readonly now: () => number,
    private readonly room: () => number,
  ) {}

  /**
   * @param ended called once when all digests are counted, at once if they are few; with MEMORY_FULL when some whose
   * messages have not come found no room
   * @throws ANNOUNCEMENT_INVALID
   */
  take(message: Buffer, ended: Part['ended']): void {
    const { batch, chunk, digests } = parseAnnouncement(message);
    if (this.known.has(batch, chunk)) {
      this.counts.repeated++;
      this.#add(digests.subarray(0, 0), ended);
      return;
    }
    // First of all: when a crash cuts what follows, messages are stored twice, and none is taken for another.
    this.known.add(batch, chunk);
    this.counts.announcements++;
    this.#add(digests, ended);
  }

  /** Counts all that has come by now, in this turn. */
  finish(): void {
    while (this.#parts.length > 0) this.#count();
  }

  #add(digests: Buffer, ended: Part['ended']): void {
    this.#parts.push({ digests, left: 0, ended });
    if (this.#parts.length === 1) this.#count();
    while (this.#parts.length > MOST_WAITING) this.#count();
  }

  /** Counts the next digests of the first part. */
  #count(): void {
    const [part] = this.#parts;
    if (!part) return;
    const bytes = A_TURN * DIGEST_LENGTH;
    let error: S3BatchError | undefined;
    try {
      const { announced, left } = this.book.announce(this.now(), part.digests.subarray(0, bytes), this.room);
      this.announced += announced;
      part.left += left;
      part.digests = part.digests.subarray(bytes);
      if (part.left > 0) error = noRoom(part.left);
    } catch (thrown) {
      part.digests = part.digests.subarray(part.digests.length);
      error = refusal(thrown);
    }
    if (part.digests.length === 0) {
      this.#parts.shift();
      part.ended(error);
    }
    if (this.#parts.length === 0 || this.#isDueSoon) return;
    this.#isDueSoon = true;
    setImmediate(() => {
      this.#isDueSoon = false;
      this.#count();
    });
  }
}

function noRoom(digests: number): S3BatchError {
  return new S3BatchError(
    'MEMORY_FULL',
    `${digests} announced messages have not come, and there is no memory to wait for them: they will be stored again ` +
      'when they come; raise the memory limit',
  );
}
