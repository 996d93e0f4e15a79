import { readFileSync } from 'node:fs';
import path from 'node:path';

const DASHBOARD = path.resolve(__dirname, '../../../docs/grafana/welding-plant.json');

/** A query of the dashboard as the Infinity data source keeps it; the names are its own. */
interface InfinityQuery {
  type: string;
  parser: string;
  format: string;
  url: string;
  url_options: { method: string; data: string; params?: { key: string; value: string }[] };
  columns: { selector: string; type: string }[];
}

export interface Dashboard {
  schemaVersion: number;
  panels: { title: string; type: string; repeat?: string; targets: InfinityQuery[] }[];
  templating: { list: { name: string; multi: boolean; query: { infinityQuery: InfinityQuery } }[] };
}

/** What is chosen in the dashboard when it asks. */
export interface Chosen {
  plant: string;
  devices?: readonly string[];
  /** ms since 1970. */
  from: number;
  to: number;
  intervalMs?: number;
}

export interface HttpAnswer {
  status: number;
  type: string;
  body: unknown;
}

export function theDashboard(): Dashboard {
  return JSON.parse(readFileSync(DASHBOARD, 'utf8')) as Dashboard;
}

/**
 * What Grafana and the plug-in put in the place of variables and macros, as their documentation and sources say:
 * `doublequote` quotes each value and puts commas between them; the plug-in's time macros are ms since 1970.
 */
function interpolate(text: string, { plant, devices = [], from, to, intervalMs = 1000 }: Chosen): string {
  const quoted = (values: readonly string[]): string =>
    values.map((value) => `"${value.replaceAll('"', '\\"')}"`).join(',');
  const values: Record<string, string> = {
    plant,
    'plant:doublequote': quoted([plant]),
    'device:doublequote': quoted(devices),
    __timeFrom: String(from),
    __timeTo: String(to),
    __interval_ms: String(intervalMs),
  };
  return text.replace(/\$\{([^}]+)\}/g, (whole, name: string) => values[name] ?? whole);
}

/** Sends a query of the dashboard as the plug-in's backend does. @param base the data source's URL */
export async function askAsInfinity(base: string, query: InfinityQuery, chosen: Chosen): Promise<HttpAnswer> {
  const { method, data, params = [] } = query.url_options;
  const url = new URL(base + interpolate(query.url, chosen));
  for (const { key, value } of params) url.searchParams.append(key, interpolate(value, chosen));
  const headers = { 'User-Agent': 'Grafana/12.1.0', Accept: 'application/json;q=0.9,text/plain' };
  return ask(
    url,
    method === 'POST'
      ? {
          method,
          body: interpolate(data, chosen),
          headers: { ...headers, 'Content-Type': 'application/json' },
        }
      : { headers },
  );
}

/** Sends what a JSON data source sends. */
export async function post(url: string, body: object): Promise<HttpAnswer> {
  const headers = { 'Content-Type': 'application/json', Accept: 'application/json, text/plain, */*' };
  return ask(url, { method: 'POST', body: JSON.stringify(body), headers });
}

export async function ask(url: URL | string, request: RequestInit = {}): Promise<HttpAnswer> {
  const response = await fetch(url, request);
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, type, body: type.includes('json') ? JSON.parse(text) : text };
}

/** The body of a request to `/query` as the JSON data sources send it. */
export function queryBody(from: number, to: number, targets: object[], more: object = {}): object {
  return {
    requestId: 'Q101',
    timezone: 'utc',
    panelId: 1,
    dashboardUID: 's3-batch-welding',
    range: {
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      raw: { from: 'now-1h', to: 'now' },
    },
    rangeRaw: { from: 'now-1h', to: 'now' },
    interval: '5s',
    intervalMs: 5000,
    targets: targets.map((target, index) => ({
      refId: String.fromCharCode(65 + index),
      type: 'timeserie',
      ...target,
    })),
    maxDataPoints: 720,
    scopedVars: { __interval: { text: '5s', value: '5s' }, __interval_ms: { text: '5000', value: 5000 } },
    adhocFilters: [],
    ...more,
  };
}
