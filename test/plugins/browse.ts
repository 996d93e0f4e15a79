import assert from 'node:assert/strict';

import type { FlowRunner } from '../support/node-red-helper';

/** What the object browser is answered, beside what it asked for. */
export interface Answer {
  asked: { requests: number; bytes: number };
}

export interface Refusal extends Answer {
  code: string;
  message: string;
}

export interface Folder extends Answer {
  folders: { prefix: string; from?: number; to?: number }[];
  objects: {
    key: string;
    size: number;
    etag: string;
    modified?: number;
    count?: number;
    first?: number;
    last?: number;
    failure?: { code: string; message: string };
  }[];
  next?: string;
  failure?: { code: string; message: string };
}

export interface Page<T> extends Answer {
  count: number;
  first: number;
  last: number;
  etag: string;
  page: number;
  pages: number;
  total: number;
  items: T[];
  next?: { page: number; from: number };
}

export interface Series {
  number: number;
  series: string;
  records: number;
  first: number;
  last: number;
}

export interface Entry {
  place: number;
  time: number;
  key: string;
  topic: string;
  offset: number;
  blockLength: number;
  start: number;
  length: number;
}

export interface ShownRecord extends Entry, Answer {
  series: string;
  size: number;
  payload: string;
}

type Parameters = Record<string, string | number>;

function pathOf(question: string, parameters: Parameters, connection: string): string {
  const query = new URLSearchParams(
    Object.entries(parameters).map(([name, value]) => [name, String(value)]),
  ).toString();
  return `/s3-batch/browse/${connection}/${question}?${query}`;
}

/** Asks as the browser in the editor does. */
export async function ask<T extends Answer>(
  flow: FlowRunner,
  question: string,
  parameters: Parameters = {},
  connection = 'connection',
): Promise<T> {
  const { status, body, headers } = await flow.get(pathOf(question, parameters, connection));
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(headers['cache-control'], 'no-store');
  return body as T;
}

/** Asks what is refused. Answers the status with code and message. */
export async function refusal(
  flow: FlowRunner,
  question: string,
  parameters: Parameters = {},
  connection = 'connection',
): Promise<Refusal & { status: number }> {
  const { status, body } = await flow.get(pathOf(question, parameters, connection));
  assert.ok(status >= 400, `${question} is answered with ${status}`);
  return { status, ...(body as Refusal) };
}
