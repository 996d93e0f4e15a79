import type { FieldPath } from '../../lib/layout/field-path';
import type { LayoutPreview } from '../../lib/layout/layout-preview';
import { payloadFields } from './completions';
import type { PreviewAnswer, PreviewRequest, Sample } from './preview-messages';

/** What is previewed: the settings in a dialogue. */
export interface PreviewSource {
  /** Id of the layout whose recent messages are offered; '' for none. */
  layout(): string;
  settings(): Record<string, unknown>;
  /** What an s3-batch-out adds. */
  writer?(): Pick<PreviewRequest, 'framing' | 'compression' | 'instance'>;
}

/** Catalogue of the texts: that of the layout, whoever shows the preview. */
const TEXTS = 'node-red-contrib-s3-batch/archive-layout:archive-layout.preview';
/** How long typing pauses before the runtime is asked, ms. */
const PAUSE = 250;

/** The sample that was looked at last, in whichever dialogue; it is there again in the next. */
let last: Required<Sample> = { topic: '', payload: '', isBase64: false };

function text(key: string, values?: Record<string, string | number>): string {
  return RED._(`${TEXTS}.${key}`, values);
}

/** Paths to the fields of the sample's payload. */
export function sampleFields(): FieldPath[] {
  return last.isBase64 ? [] : payloadFields(last.payload);
}

/**
 * Shows below a sample message where its record goes, as the runtime tells it, and follows each change in the dialogue.
 * @param type of the node, with which the ids of the preview's fields begin
 * @param sampleChanged is called when the sample has fields of its own now
 */
export function preparePreview(type: string, source: PreviewSource, sampleChanged?: () => void): void {
  const [topic, payload] = [$(`#${type}-sample-topic`), $(`#${type}-sample-payload`)];
  const isBase64 = $(`#${type}-sample-base64`);
  const form = topic.closest('.s3-batch-form');

  const put = (sample: Sample): void => {
    topic.val(sample.topic);
    payload.val(sample.payload ?? '');
    isBase64.prop('checked', sample.isBase64 === true);
    follow();
  };

  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = 0;
  const ask = (): void => {
    const number = ++asked;
    const show = (answer: PreviewAnswer | undefined): void => {
      // An answer that came late is out of date.
      if (number === asked) showAnswer(type, answer);
    };
    if (last.topic === '') {
      show(undefined);
      return;
    }
    const request: PreviewRequest = { ...last, settings: source.settings(), ...source.writer?.() };
    void $.ajax({
      url: 's3-batch/preview',
      method: 'POST',
      contentType: 'application/json',
      data: JSON.stringify(request),
    })
      .done((answer: PreviewAnswer) => {
        show(answer);
      })
      .fail(({ status }) => {
        show({ problem: failure(status) });
      });
  };
  const follow = (): void => {
    last = {
      topic: String(topic.val()),
      payload: String(payload.val()),
      isBase64: isBase64.prop('checked') === true,
    };
    sampleChanged?.();
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  };
  form.on('input change', follow);
  put(last);
  prepareSamples(type, source, put);
}

/** Fills the list of recent messages, when it is shown first and whenever its button is pressed. */
function prepareSamples(type: string, source: PreviewSource, put: (sample: Sample) => void): void {
  const select = $(`#${type}-sample`);
  const hint = $(`#${type}-sample-hint`);
  let samples: Sample[] = [];
  const show = (found: Sample[], told: string): void => {
    samples = found;
    select.empty().append($('<option>').val('').text(text('choose')));
    for (const [index, sample] of samples.entries())
      $('<option>').val(index).text(sample.topic).appendTo(select);
    select.prop('disabled', samples.length === 0);
    hint.text(told);
    const [latest] = samples;
    if (latest && last.topic === '') put(latest);
  };
  const fetch = (): void => {
    void $.getJSON(`s3-batch/samples/${encodeURIComponent(source.layout())}`)
      .done((found: Sample[]) => {
        show(found, text(found.length === 0 ? 'noSamples' : 'samples'));
      })
      .fail(({ status }) => {
        show([], failure(status));
      });
  };
  select.on('change', () => {
    const sample = select.val() === '' ? undefined : samples[Number(select.val())];
    if (!sample) return;
    hint.text(text(sample.payload === undefined ? 'tooLong' : 'samples'));
    put(sample);
  });
  $(`#${type}-sample-refresh`).on('click', fetch);
  show([], '');
  const details = select.closest('details');
  if (details.length === 0) fetch();
  else details.one('toggle', fetch);
}

function failure(status: number): string {
  if (status === 0) return text('unreachable');
  return status === 401 || status === 403 ? text('forbidden') : text('failed', { status });
}

/** @param answer undefined while there is no sample */
function showAnswer(type: string, answer: PreviewAnswer | undefined): void {
  const problem = answer !== undefined && 'problem' in answer ? answer.problem : '';
  const preview = answer !== undefined && 'preview' in answer ? answer.preview : undefined;
  $(`#${type}-preview-problem`).text(problem);
  const list = $(`#${type}-preview`).empty();
  for (const [key, value, more] of preview ? rowsOf(preview) : []) {
    $('<dt>')
      .text(text(`result.${key}`))
      .appendTo(list);
    $('<dd>')
      .attr('data-result', key)
      .append($('<code>').text(value), document.createTextNode(more === undefined ? '' : ` ${more}`))
      .appendTo(list);
  }
  const notes = $(`#${type}-preview-notes`).empty();
  for (const note of preview?.notes ?? [])
    $('<li>')
      .attr('data-note', note)
      .text(text(`note.${note}`))
      .appendTo(notes);
  if (answer === undefined) $('<li>').text(text('none')).appendTo(notes);
}

function rowsOf(preview: LayoutPreview): [key: string, value: string, more?: string][] {
  const { bucketRow } = preview;
  const byRow = bucketRow === undefined ? text('byTopic') : text('byRow', { row: bucketRow });
  return [
    ['bucket', preview.bucket, byRow],
    ['objectName', preview.objectName],
    ['series', preview.series],
    ['time', preview.time],
    ['key', preview.key],
  ];
}
