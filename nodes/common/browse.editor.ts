/** The button of a dialogue that opens the object browser where the dialogue points to. */

/** Shows the object browser; whoever invokes it may say at what. */
export const SHOW_OBJECT_BROWSER = 's3-batch:show-object-browser';

/** What the object browser is to show. */
export interface Archive {
  /** Ids of the connection and of the layout; empty where none is chosen. */
  connection: string;
  layout: string;
  /** Empty for all buckets. */
  bucket: string;
}

/** Makes the button work. Where the object browser is switched off there is none. */
export function prepareBrowse(): void {
  const row = $('.s3-batch-browse');
  row.toggle(RED.actions.list().some(({ id }) => id === SHOW_OBJECT_BROWSER));
  row.find('button').on('click', () => {
    RED.actions.invoke(SHOW_OBJECT_BROWSER, archiveInForm());
  });
}

/** As it stands in the form. A bucket that only a message tells is none yet. */
function archiveInForm(): Archive {
  const chosen = (name: string): string => {
    const id = String($(`#node-input-${name}`).val() ?? '');
    return RED.nodes.node(id) ? id : '';
  };
  const bucket = $('#node-input-bucket');
  return {
    connection: chosen('connection'),
    layout: chosen('layout'),
    bucket: bucket.typedInput('type') === 'str' ? bucket.typedInput('value').trim() : '',
  };
}
