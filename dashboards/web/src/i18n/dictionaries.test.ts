import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { en, type Key } from './en';
import { zh } from './zh';

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort();
const keys = Object.keys(en) as Key[];

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return sources(full);
    return entry.name.endsWith('.tsx') ? [full] : [];
  });
}

describe('dictionaries', () => {
  it('have the same keys, none empty, with the same placeholders', () => {
    expect(Object.keys(zh).sort()).toEqual([...keys].sort());
    for (const key of keys) {
      expect(zh[key], key).not.toBe('');
      expect(placeholders(zh[key]), key).toEqual(placeholders(en[key]));
    }
  });

  it('hold every word the page says: no text stands between tags', () => {
    const root = path.join(import.meta.dirname, '..');
    for (const file of sources(root)) {
      const text = readFileSync(file, 'utf8');
      const bare = [...text.matchAll(/(?<!=)>\s*([A-Z\u4e00-\u9fff][A-Za-z\u4e00-\u9fff ]{2,})\s*<\//g)].map(
        (found) => found[1],
      );
      expect(bare, file).toEqual([]);
      const labels = [...text.matchAll(/(?:aria-label|title|placeholder|alt)="([^"]+)"/g)].map((found) => found[1]);
      expect(labels, file).toEqual([]);
    }
  });
});
