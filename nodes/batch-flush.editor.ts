import { beginDialogue, versionProperty, paletteName, showProblem, verdict } from './common/dialogue.editor';
import { typed, typeFields } from './common/typed-fields.editor';

interface Properties {
  version: number | string;
  name: string;
  target: string;
  destination: string;
  destinationType: string;
}

function isBatchOut(id: string): boolean {
  return RED.nodes.node(id)?.type === 's3-batch-out';
}

/** Which text of the catalogue tells what is wrong with the chosen node. */
function targetProblem(id: string | undefined): string | undefined {
  if (!id) return 'targetBlank';
  return isBatchOut(id) ? undefined : 'targetMissing';
}

/** Name of the flow or subflow that a node is in. */
function flowOf({ z = '' }: EditorNode): string {
  return RED.nodes.workspace(z)?.label ?? RED.nodes.subflow(z)?.name ?? z;
}

/** Fills the list of s3-batch-out nodes, flow by flow. A chosen node that is gone stays in it, marked as missing. */
function fillTargets(select: JQuery, chosen: string, missing: string, choose: string): void {
  const nodes = RED.nodes.filterNodes({ type: 's3-batch-out' });
  if (!isBatchOut(chosen)) {
    $('<option>')
      .val(chosen)
      .text(chosen === '' ? choose : missing)
      .appendTo(select);
  }
  for (const flow of new Set(nodes.map(flowOf))) {
    const group = $('<optgroup>').attr('label', flow).appendTo(select);
    for (const node of nodes.filter((one) => flowOf(one) === flow)) {
      $('<option>')
        .val(node.id)
        .text(node.name || node.id)
        .appendTo(group);
    }
  }
  select.val(chosen);
}

RED.nodes.registerType<Properties>('batch-flush', {
  category: 's3 batch',
  color: '#8cc6b8',
  icon: 'batch-flush.svg',
  inputs: 1,
  outputs: 1,
  paletteLabel: paletteName('batch-flush'),
  defaults: {
    version: versionProperty('batch-flush'),
    name: { value: '' },
    target: {
      value: '',
      // With the type, an import that gives nodes new ids changes this one, too.
      type: 's3-batch-out',
      validate(id: string | undefined, options) {
        return verdict(this, 'target', options, targetProblem(id));
      },
    },
    destination: { value: '', validate: typed('destination') },
    destinationType: { value: 'str' },
  },
  label() {
    return this.name || 'batch-flush';
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels() {
    return this._('batch-flush.output');
  },
  button: {
    enabled() {
      return !this.changed;
    },
    onclick() {
      // Notifications are taken for HTML.
      const name = $('<span>')
        .text(this.name || 'batch-flush')
        .html();
      void $.post(`s3-batch/flush/${this.id}`)
        .done(() => {
          RED.notify(this._('batch-flush.notify.asked', { name }), { type: 'success', timeout: 2000 });
        })
        .fail(({ status }) => {
          const why = { 0: 'unreachable', 401: 'forbidden', 403: 'forbidden', 404: 'undeployed' }[status];
          RED.notify(this._(`batch-flush.notify.${why ?? 'failed'}`, { name, status }), { type: 'error' });
        });
    },
  },
  oneditprepare() {
    beginDialogue(this);
    const select = $('#batch-flush-target');
    fillTargets(
      select,
      this.target,
      this._('batch-flush.missing', { id: this.target }),
      this._('batch-flush.choose'),
    );
    select.on('change', () => {
      const problem = targetProblem(String(select.val() ?? ''));
      select.toggleClass('input-error', problem !== undefined);
      showProblem(select, problem === undefined ? true : this._(`batch-flush.invalid.${problem}`));
    });
    select.trigger('change');

    typeFields(['destination']);
  },
  oneditsave() {
    this.target = String($('#batch-flush-target').val() ?? '');
  },
});
