/** What the browser tells about the row that is selected: of an object its map, of a record its bytes. */
import { hexLines, indentedJson, timeText, utf8Text } from '../../lib/browse/show';
import { bytesText } from '../../nodes/common/bytes';
import { isFailure } from './requests.editor';
import { amount, type EntryRow, explain, type ObjectRow, type Place, type Session } from './items.editor';

interface BlockRow {
  series: string;
  offset: number;
  length: number;
  size: number;
  records: number;
}
interface BlocksAnswer {
  page: number;
  pages: number;
  size: number;
  modified?: number;
  framing: string;
  compression: string;
  keyTemplate: string;
  count: number;
  first: number;
  last: number;
  items: BlockRow[];
  next?: { page: number; from: number };
}
interface RecordAnswer extends EntryRow {
  series: string;
  size: number;
  payload: string;
}

export interface Details {
  readonly element: JQuery;
  show(place: Place | undefined): void;
}

/** The panel of details. Only what was asked for last is shown, whatever comes late. */
export function createDetails(session: Session): Details {
  const element = $('<section class="s3-browser-details" tabindex="0">').attr(
    'aria-label',
    session.text('label.details'),
  );
  let shown = 0;

  /** Shows what `load` brings once it is there, or what went wrong. */
  function bring(load: () => Promise<JQuery[]>): void {
    const own = ++shown;
    const waiting = $('<p class="s3-browser-hint">').text(session.text('note.loading'));
    element.append(waiting);
    load()
      .catch((error: unknown) => [failureText(error)])
      .then(
        (parts) => {
          if (own !== shown) return;
          waiting.remove();
          element.append(...parts);
        },
        () => undefined,
      );
  }

  function failureText(error: unknown): JQuery {
    const text = isFailure(error) ? explain(session, error) : String(error);
    return $('<p class="s3-browser-wrong" role="alert">').text(text);
  }

  function heading(text: string): JQuery {
    return $('<h4>').text(text);
  }

  /** Facts by the names of their labels. What is not known is left out. */
  function facts(values: Record<string, string | number | undefined>): JQuery {
    const list = $('<dl>');
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined || value === '') continue;
      list.append($('<dt>').text(session.text(`fact.${name}`)), $('<dd>').text(value));
    }
    return list;
  }

  const number = (value: number): string => value.toLocaleString();

  async function mapOf(bucket: string, { key, etag, size, modified }: ObjectRow): Promise<JQuery[]> {
    const ask = (next: { page: number; from: number }): Promise<BlocksAnswer> =>
      session.ask<BlocksAnswer>('blocks', { bucket, key, etag, ...next });
    const first = await ask({ page: 0, from: 0 });
    const list = facts({
      size: bytesText(RED, size),
      modified: modified === undefined ? undefined : timeText(modified),
      records: number(first.count),
      first: timeText(first.first),
      last: timeText(first.last),
      keyTemplate: first.keyTemplate,
      format: `${first.framing}, ${first.compression}`,
      pages: number(first.pages),
    });
    const table = $('<table>').append(
      $('<caption>').text(session.text('label.map')),
      $('<thead>').append(
        $('<tr>').append(
          ...['block', 'offset', 'length', 'records'].map((name) =>
            $('<th scope="col">').text(session.text(`column.${name}`)),
          ),
        ),
      ),
    );
    const rows = $('<tbody>').appendTo(table);
    const more = $('<button type="button" class="red-ui-button red-ui-button-small">');
    const add = ({ items, next }: BlocksAnswer): void => {
      for (const { series, offset, length, records } of items) {
        $('<tr>')
          .append(
            $('<td>').attr('title', series).text(series),
            ...[offset, length, records].map((value) => $('<td>').text(number(value))),
          )
          .appendTo(rows);
      }
      more.off('click').toggle(next !== undefined);
      if (!next) return;
      more.on('click', () => {
        more.prop('disabled', true);
        ask(next)
          .then(add, (error: unknown) => failureText(error).insertAfter(table))
          .finally(() => more.prop('disabled', false))
          .catch(() => undefined);
      });
    };
    more.text(session.text('note.more'));
    add(first);
    return [list, $('<div class="s3-browser-scroll">').append(table), more];
  }

  async function recordAt(place: Extract<Place, { kind: 'record' }>): Promise<JQuery[]> {
    const { bucket, object, page, entry } = place;
    const record = await session.ask<RecordAnswer>('record', {
      bucket,
      key: object.key,
      etag: object.etag,
      page,
      place: entry.place,
    });
    return [
      facts({
        topic: record.topic,
        time: timeText(record.time),
        key: record.key,
        series: record.series,
        block: session.text('fact.inBlock', {
          offset: number(record.offset),
          length: number(record.blockLength),
          start: number(record.start),
          bytes: number(record.length),
        }),
      }),
      ...payloadView(record),
    ];
  }

  /** The bytes in the form that says most, and buttons for the other forms. */
  function payloadView({ payload, size }: RecordAnswer): JQuery[] {
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const isWhole = bytes.length === size;
    const text = utf8Text(bytes, isWhole);
    const json = text === undefined || !isWhole ? undefined : indentedJson(text);
    const forms: Record<string, string> = {
      ...(json !== undefined && { json }),
      ...(text !== undefined && { text }),
      hex: hexLines(bytes),
    };
    const shownBytes = $('<pre class="s3-browser-payload" tabindex="0">').attr(
      'aria-label',
      session.text('label.payload'),
    );
    const group = $('<span class="button-group" role="group">').attr(
      'aria-label',
      session.text('label.form'),
    );
    for (const [name, content] of Object.entries(forms)) {
      const button = $('<button type="button" class="red-ui-button red-ui-button-small toggle single">');
      button.text(session.text(`form.${name}`)).on('click', () => {
        group.children().removeClass('selected').attr('aria-pressed', 'false');
        button.addClass('selected').attr('aria-pressed', 'true');
        shownBytes.text(content);
      });
      button.appendTo(group);
    }
    group.children().first().trigger('click');
    const note = isWhole
      ? amount(session, size, 'byte')
      : session.text('note.cut', { shown: number(bytes.length), size: number(size) });
    return [$('<div class="s3-browser-payload-head">').append($('<span>').text(note), group), shownBytes];
  }

  function show(place: Place | undefined): void {
    shown++;
    element.empty().scrollTop(0);
    if (place === undefined) {
      element.append($('<p class="s3-browser-hint">').text(session.text('note.select')));
      return;
    }
    switch (place.kind) {
      case 'bucket':
        element.append(heading(place.bucket));
        break;
      case 'folder':
        element.append(
          heading(place.prefix),
          facts({
            from: place.from === undefined ? undefined : timeText(place.from),
            to: place.to === undefined ? undefined : timeText(place.to),
          }),
        );
        break;
      case 'object':
        element.append(heading(place.object.key));
        bring(() => mapOf(place.bucket, place.object));
        break;
      case 'series': {
        const { series, records, first, last } = place.series;
        element.append(
          heading(series || session.text('note.noSeries')),
          facts({ records: number(records), first: timeText(first), last: timeText(last) }),
        );
        break;
      }
      case 'record':
        element.append(heading(timeText(place.entry.time)));
        bring(() => recordAt(place));
        break;
    }
  }

  show(undefined);
  return { element, show };
}
