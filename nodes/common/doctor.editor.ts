/** The connection doctor's side of the dialogue: asks the runtime, shows what it finds, fills in what it offers. */
import {
  hasRemedy,
  type BetterSettings,
  type DoctorEvent,
  type Finding,
  type Verdict,
} from '../../lib/store/doctor/finding';
import type { DoctorRequest } from './doctor-request';

const ICONS: Record<Verdict | 'running', string> = {
  ok: 'fa fa-check-circle',
  warning: 'fa fa-exclamation-triangle',
  failed: 'fa fa-times-circle',
  skipped: 'fa fa-minus-circle',
  running: 'fa fa-spinner fa-spin',
};

/** Answers that tell why there was no examination, by HTTP status. */
const REFUSALS: Readonly<Record<number, string>> = {
  0: 'unreachable',
  401: 'forbidden',
  403: 'forbidden',
  404: 'unknown',
  409: 'busy',
};

const at = (name: string): JQuery => $(`#s3-connection-doctor-${name}`);
const field = (name: string): JQuery => $(`#node-config-input-${name}`);
const textOf = (input: JQuery): string => String(input.val() ?? '');

/** What stands in the form now, deployed or not. */
function requestOf(node: EditorNode): DoctorRequest {
  const tls = textOf(field('tls'));
  const chosen = tls === '' || tls === '_ADD_' ? null : RED.nodes.node(tls);
  return {
    settings: {
      endpoint: textOf(field('endpoint')),
      region: textOf(field('region')),
      pathStyle: field('pathStyle').prop('checked') === true,
      auth: textOf(field('auth')) === 'chain' ? 'chain' : 'keys',
      profile: textOf(field('profile')),
      roleArn: textOf(field('roleArn')),
      roleExternalId: textOf(field('roleExternalId')),
      tls: chosen?.id ?? '',
      connectTimeout: textOf(field('connectTimeout')),
      requestTimeout: textOf(field('requestTimeout')),
    },
    credentials: {
      accessKeyId: textOf(field('accessKeyId')),
      secretAccessKey: textOf(field('secretAccessKey')),
      sessionToken: textOf(field('sessionToken')),
    },
    z: node.z ?? '',
    bucket: textOf(at('bucket')),
    createBucket: at('create').prop('checked') === true,
    tlsChanged: chosen?.changed === true,
  };
}

/** Makes the doctor work in an open dialogue. Answers what ends it with the dialogue. */
export function prepareDoctor(node: EditorNode): () => void {
  let request: JQuery.jqXHR | undefined;
  let offered: BetterSettings = {};
  const say = (key: string, values?: Record<string, string | number>): void => {
    at('status').text(node._(`s3-connection.doctor.status.${key}`, values));
  };

  const end = (): void => {
    request = undefined;
    at('stop').hide();
    at('start').show();
    at('findings').find('.s3-batch-doctor-running').remove();
  };

  const show = (event: DoctorEvent): void => {
    const list = at('findings');
    switch (event.event) {
      case 'started':
        list.find('.s3-batch-doctor-running').remove();
        row('running', node._(`s3-connection.doctor.check.${event.check}`)).appendTo(list);
        break;
      case 'found':
        list.find('.s3-batch-doctor-running').remove();
        shown(node, event).appendTo(list);
        break;
      case 'buckets':
        at('buckets')
          .empty()
          .append(event.names.map((name) => $('<option>').val(name)));
        break;
      case 'ended':
        offered = event.settings;
        offer(node, offered);
        say('ended', event.verdicts);
    }
  };

  at('start').on('click', () => {
    at('findings').empty();
    offer(node, (offered = {}));
    at('start').hide();
    at('stop').show().trigger('focus');
    say('running');
    const take = linesOf((line) => show(JSON.parse(line) as DoctorEvent));
    request = $.ajax({
      method: 'POST',
      // A relative address, to which the editor adds its token.
      url: `s3-batch/doctor/${encodeURIComponent(node.id)}`,
      contentType: 'application/json',
      data: JSON.stringify(requestOf(node)),
      dataType: 'text',
      xhr: () => {
        const xhr = new XMLHttpRequest();
        xhr.addEventListener('progress', () => {
          if (xhr.status === 200) take(xhr.responseText);
        });
        return xhr;
      },
    });
    void request
      .done((text: string) => take(text))
      .fail(({ status }, why) => {
        if (why === 'abort') say('stopped');
        else say(REFUSALS[status] ?? 'broken', { status });
      })
      .always(() => {
        const isFocused = at('stop').is(':focus');
        end();
        if (isFocused) at('start').trigger('focus');
      });
  });
  at('stop').on('click', () => request?.abort());
  at('use').on('click', () => {
    use(offered);
    offer(node, (offered = {}));
    say('used');
    at('start').trigger('focus');
  });
  return () => request?.abort();
}

/** Takes a growing text, and hands on each of its lines once. */
function linesOf(take: (line: string) => void): (text: string) => void {
  let taken = 0;
  return (text) => {
    for (let end = text.indexOf('\n', taken); end >= 0; end = text.indexOf('\n', taken)) {
      const line = text.slice(taken, end);
      taken = end + 1;
      take(line);
    }
  };
}

function row(verdict: Verdict | 'running', check: string): JQuery {
  return $('<li>')
    .addClass(`s3-batch-doctor-${verdict}`)
    .append($('<i>').addClass(ICONS[verdict]).attr('aria-hidden', 'true'), $('<strong>').text(check));
}

/** One finding. Nothing of it is taken for HTML: names and words in it come from the store. */
function shown(
  node: EditorNode,
  { check, verdict, finding, values = {}, ms, detail, policy }: Finding,
): JQuery {
  const given = { ...values };
  if (finding === 'because') given.check = node._(`s3-connection.doctor.check.${String(values.check)}`);
  const item = row(verdict, node._(`s3-connection.doctor.check.${check}`)).attr('data-finding', finding);
  const word = node._(`s3-connection.doctor.verdict.${verdict}`);
  const time = verdict === 'skipped' ? word : `${word} · ${node._('s3-connection.doctor.ms', { ms })}`;
  item.append($('<span class="s3-batch-doctor-time">').text(time));
  item.append($('<p>').text(node._(`s3-connection.doctor.found.${finding}`, given)));
  if (hasRemedy(finding)) {
    const remedy = node._(`s3-connection.doctor.remedy.${finding}`, given);
    item.append($('<p class="s3-batch-doctor-remedy">').text(remedy));
  }
  if (detail) item.append($('<p class="s3-batch-doctor-detail">').text(detail));
  if (policy) item.append($('<pre tabindex="0">').text(policy));
  return item;
}

/** Shows the settings that would work, or nothing when there are none. */
function offer(node: EditorNode, settings: BetterSettings): void {
  const list = at('settings').empty();
  const { endpoint, region, pathStyle } = settings;
  const add = (name: 'endpoint' | 'region' | 'pathStyle', value: string): void => {
    $('<li>')
      .text(`${node._(`s3-connection.label.${name}`)}: ${value}`)
      .appendTo(list);
  };
  if (endpoint !== undefined) add('endpoint', endpoint);
  if (region !== undefined) add('region', region);
  if (pathStyle !== undefined) add('pathStyle', node._(`s3-connection.doctor.${pathStyle ? 'yes' : 'no'}`));
  at('offer').toggle(Object.keys(settings).length > 0);
}

/** Fills settings into the form as a person would. */
function use({ endpoint, region, pathStyle }: BetterSettings): void {
  // The last of them, because the box may follow the endpoint until it is clicked.
  if (endpoint !== undefined) field('endpoint').val(endpoint).trigger('input').trigger('change');
  if (region !== undefined) field('region').val(region).trigger('input').trigger('change');
  if (pathStyle !== undefined && field('pathStyle').prop('checked') !== pathStyle) {
    field('pathStyle').trigger('click').trigger('change');
  }
}
