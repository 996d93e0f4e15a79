import type { FieldPath } from './field-path';

/** The wanted paths as a tree, so that the scanner follows all of them at once. */
export class FieldNode {
  /** Position in the list of wanted paths of the path that ends here, or -1. */
  slot = -1;
  /** Slots of the paths that end here or below. */
  readonly slots: number[] = [];
  readonly members: FieldNode[] = [];
  /** Which lengths, modulo 32, the members' names have in UTF-8: rules most names out at once. */
  lengths = 0;
  readonly bytes: Uint8Array;
  readonly length: number;

  constructor(readonly name: string) {
    this.bytes = new TextEncoder().encode(name);
    this.length = this.bytes.length;
  }

  add(member: FieldNode): void {
    this.members.push(member);
    this.lengths |= 1 << (member.length & 31);
  }

  /** The child whose name stands in these bytes as it is, without escapes. */
  memberAt(text: Buffer, start: number, end: number): FieldNode | undefined {
    for (const member of this.members) {
      if (member.length === end - start && sameBytes(member.bytes, text, start)) return member;
    }
    return undefined;
  }

  memberNamed(name: string): FieldNode | undefined {
    return this.members.find((member) => member.name === name);
  }
}

function sameBytes(name: Uint8Array, text: Buffer, start: number): boolean {
  for (let index = 0; index < name.length; index++) {
    if (name[index] !== text[start + index]) return false;
  }
  return true;
}

/** The tree of these paths; a path's slot is its position in the list. Paths are distinct. */
export function fieldTree(paths: readonly FieldPath[]): FieldNode {
  const root = new FieldNode('');
  paths.forEach((path, slot) => {
    let node = root;
    for (const segment of path) {
      let next = node.memberNamed(segment);
      if (next === undefined) node.add((next = new FieldNode(segment)));
      next.slots.push(slot);
      node = next;
    }
    node.slot = slot;
  });
  return root;
}
