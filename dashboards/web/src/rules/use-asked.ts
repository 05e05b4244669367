// Something asked for again and again while it is shown. What is known stays, beside why it could not be asked for anew.
import { useCallback, useEffect, useRef, useState } from 'react';

export interface Asked<T> {
  /** null: no answer yet */
  value: T | null;
  /** why the newest question has no answer; null when it has */
  error: unknown;
  again: () => void;
}

export function useAsked<T>(key: string, everyMs: number | null, ask: (signal: AbortSignal) => Promise<T>): Asked<T> {
  const [found, setFound] = useState<{ key: string; value: T | null; error: unknown } | null>(null);
  const [round, setRound] = useState(0);
  const latest = useRef(ask);
  useEffect(() => {
    latest.current = ask;
  });
  useEffect(() => {
    const abort = new AbortController();
    const load = () =>
      void latest.current(abort.signal).then(
        (value) => setFound({ key, value, error: null }),
        (error: unknown) => {
          if (abort.signal.aborted) return;
          setFound((old) => ({ key, value: old?.key === key ? old.value : null, error }));
        },
      );
    load();
    const timer = everyMs === null ? undefined : setInterval(load, everyMs);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [key, everyMs, round]);
  const again = useCallback(() => setRound((old) => old + 1), []);
  const own = found?.key === key ? found : null;
  return { value: own?.value ?? null, error: own?.error ?? null, again };
}
