import type { Node, NodeAPI, NodeMessage } from 'node-red';

/** A value of a dialogue with the type that its typedInput says. */
export interface TypedValue {
  value: string;
  type: string;
}

/** What a typed value is for this message; a property that is not there is undefined. */
export async function evaluate(
  RED: NodeAPI,
  node: Node,
  { value, type }: TypedValue,
  message: NodeMessage,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    RED.util.evaluateNodeProperty(value, type, node, message, (error, result: unknown) => {
      // Node-RED says so when the object that should have the property is missing.
      if (error instanceof TypeError && type === 'msg') resolve(undefined);
      else if (error) reject(error);
      else resolve(result);
    });
  });
}
