import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { en, type Key } from './en';
import { zh } from './zh';

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort();
const keys = Object.keys(en) as Key[];
const root = path.join(import.meta.dirname, '..');

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return sources(full);
    return /\.tsx?$/.test(entry.name) && !entry.name.endsWith('.test.ts') ? [full] : [];
  });
}

/** What a reader would read as a word: two letters or a Chinese character. */
const WORD = /\p{L}{2}|\p{Script=Han}/u;
/** Attributes whose text is shown or spoken. */
const SAID = new Set(['aria-label', 'aria-description', 'title', 'placeholder', 'alt', 'label', 'eyebrow', 'name']);

/** Texts a file shows without asking the dictionaries: between tags, in attributes that are said, in `{'…'}`. */
function spoken(file: string, text: string): string[] {
  const found: string[] = [];
  const note = (said: string): void => {
    if (WORD.test(said)) found.push(said.trim());
  };
  const inBraces = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) note(node.text);
    else if (ts.isConditionalExpression(node)) [node.whenTrue, node.whenFalse].forEach(inBraces);
    else if (ts.isTemplateExpression(node))
      [node.head, ...node.templateSpans.map((one) => one.literal)].forEach((one) => note(one.text));
  };
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node)) note(node.text);
    if (ts.isJsxExpression(node) && node.expression !== undefined && !ts.isJsxAttribute(node.parent))
      inBraces(node.expression);
    if (ts.isJsxAttribute(node) && SAID.has(node.name.getText()) && node.initializer !== undefined) {
      // A form field's own name is never seen.
      const isField =
        node.name.getText() === 'name' && /^(input|select|textarea)$/.test(node.parent.parent.tagName.getText());
      if (ts.isStringLiteral(node.initializer) && !isField) note(node.initializer.text);
      else if (ts.isJsxExpression(node.initializer) && node.initializer.expression)
        inBraces(node.initializer.expression);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX));
  return found;
}

describe('dictionaries', () => {
  it('have the same keys, none empty, with the same placeholders', () => {
    expect(Object.keys(zh).sort()).toEqual([...keys].sort());
    for (const key of keys) {
      expect(zh[key], key).not.toBe('');
      expect(placeholders(zh[key]), key).toEqual(placeholders(en[key]));
    }
  });

  it('are each in their language', () => {
    const shared = ['app.name', 'lang.switch', 'legend.between'];
    for (const key of keys.filter((one) => !shared.includes(one))) {
      expect(/\p{Script=Han}/u.test(en[key]), key).toBe(false);
      expect(/[\p{Script=Han}、]/u.test(zh[key]), key).toBe(true);
    }
  });

  it('hold nothing that no page says', () => {
    const all = sources(root)
      .filter((file) => !/i18n\/(en|zh)\.ts$/.test(file))
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    const byPart = ['severity.', 'stat.', 'alert.word.', 'rules.kind.', 'rules.state.', 'rules.fault.', 'rules.try.'];
    const unsaid = keys.filter((key) => !all.includes(`'${key}'`) && !byPart.some((part) => key.startsWith(part)));
    expect(unsaid).toEqual([]);
  });

  it('hold every word the page says', () => {
    const files = sources(root).filter((file) => file.endsWith('.tsx'));
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) expect(spoken(file, readFileSync(file, 'utf8')), file).toEqual([]);
  });

  it('would be missed: the search finds words wherever they hide', () => {
    const bad = `<p title="Two words" className="x">Bare {open ? 'yes' : t('k')} {\`\${n} items\`}<i aria-label={'said'}>中</i></p>`;
    expect(spoken('bad.tsx', bad).sort()).toEqual(['Bare', 'Two words', 'items', 'said', 'yes', '中'].sort());
    expect(spoken('good.tsx', '<p className="a b">{t("key")} · <b>{x}</b></p>')).toEqual([]);
  });
});
