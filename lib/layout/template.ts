import Mustache from 'mustache';
import { messageOf } from '../errors';
import { invalidSetting } from './settings';

/** A piece of a template: text, or a variable's name as it was written. */
export type TemplateToken = { text: string } | { variable: string };

/**
 * The tokens of a Mustache template of text and plain variables. Nothing is ever HTML here, so `{{{x}}}` and
 * `{{&x}}` are the same as `{{x}}`.
 * @throws S3BatchError LAYOUT_INVALID for sections, partials, comments and other tags
 */
export function parseTemplate(setting: string, template: string): TemplateToken[] {
  let spans: readonly unknown[][];
  try {
    // The one that Mustache.parse uses remembers every template, for good.
    spans = new Mustache.Writer().parse(template, ['{{', '}}']) as unknown[][];
  } catch (error) {
    throw invalidSetting(
      setting,
      `"${template}" is no Mustache template (${messageOf(error)})`,
      'write variables as {{NAME}}',
      error,
    );
  }
  return spans.map(([type, value, start, end]) => {
    if (type === 'text') return { text: String(value) };
    if (type === 'name' || type === '&') return { variable: String(value).trim() };
    throw invalidSetting(
      setting,
      `"${template.slice(Number(start), Number(end))}" is no plain variable`,
      'use text and variables such as {{NAME}} only',
    );
  });
}
