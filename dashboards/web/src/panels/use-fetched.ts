// Something fetched for a panel, again and again while the panel is there. What belongs to another question is never shown.
import { useEffect, useState } from 'react';

export type Fetched<T> = { is: 'loading' } | { is: 'here'; value: T } | { is: 'failed' };

export function useFetched<T>(
  key: string,
  everyMs: number | null,
  ask: (signal: AbortSignal) => Promise<T>,
): Fetched<T> {
  const [found, setFound] = useState<{ key: string; fetched: Fetched<T> } | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    const load = () =>
      void ask(abort.signal).then(
        (value) => setFound({ key, fetched: { is: 'here', value } }),
        () => {
          if (abort.signal.aborted) return;
          // What is known stays: an answer that does not come once makes nothing untrue.
          setFound((old) => (old?.key === key && old.fetched.is === 'here' ? old : { key, fetched: { is: 'failed' } }));
        },
      );
    load();
    const timer = everyMs === null ? undefined : setInterval(load, everyMs);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
    // The key says what is asked.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, everyMs]);
  return found?.key === key ? found.fetched : { is: 'loading' };
}
