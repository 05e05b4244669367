// The page's language: chosen once, kept in this browser.
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import type { Text } from '../api/types';
import { say, unmarked, type Lang } from '../pure/format';
import { en, type Key } from './en';
import { zh } from './zh';

const STORED = 'gridwarden.lang';
export const DICTIONARIES: Record<Lang, Record<Key, string>> = { en, zh };

export function fill(template: string, words: Record<string, string> = {}): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => words[name] ?? whole);
}

export interface Speech {
  lang: Lang;
  switchLang: () => void;
  t: (key: Key, words?: Record<string, string>) => string;
  /** text that came with the data */
  tx: (text: Text | null | undefined, fallback?: string) => string;
  /** whether the page itself says that everything is made up, so that not every name has to */
  madeUp: boolean;
  setMadeUp: (madeUp: boolean) => void;
}

const SpeechContext = createContext<Speech | null>(null);

function firstLang(): Lang {
  const stored = localStorage.getItem(STORED);
  if (stored === 'en' || stored === 'zh') return stored;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export function SpeechProvider({ children }: { children: ReactNode }) {
  const [lang, setLang] = useState<Lang>(firstLang);
  const [madeUp, setMadeUp] = useState(false);
  useEffect(() => {
    document.documentElement.lang = lang === 'zh' ? 'zh-CN' : 'en';
  }, [lang]);
  const switchLang = useCallback(() => {
    setLang((old) => {
      const next = old === 'en' ? 'zh' : 'en';
      localStorage.setItem(STORED, next);
      return next;
    });
  }, []);
  const speech = useMemo<Speech>(
    () => ({
      lang,
      switchLang,
      t: (key, words) => fill(DICTIONARIES[lang][key], words),
      tx: (text, fallback) => (madeUp ? unmarked(say(text, lang, fallback)) : say(text, lang, fallback)),
      madeUp,
      setMadeUp,
    }),
    [lang, switchLang, madeUp],
  );
  return <SpeechContext value={speech}>{children}</SpeechContext>;
}

export function useSpeech(): Speech {
  const speech = useContext(SpeechContext);
  if (speech === null) throw new Error('SpeechProvider is missing');
  return speech;
}
