// Finds an area by name or code, so that the map can be used without a pointer.
import { useEffect, useId, useState } from 'react';
import { api } from '../api/client';
import type { AreaItem, Layer } from '../api/types';
import { useSpeech } from '../i18n';

const SETTLE_MS = 200;
const LISTED = 12;

interface AreaSearchProps {
  layer: Layer | undefined;
  found: (layer: string, code: string) => void;
}

export function AreaSearch({ layer, found }: AreaSearchProps) {
  const { t, tx } = useSpeech();
  const [words, setWords] = useState('');
  const [areas, setAreas] = useState<AreaItem[] | null>(null);
  const [at, setAt] = useState(0);
  const list = useId();
  const id = layer?.id;

  useEffect(() => {
    const q = words.trim();
    if (q === '' || id === undefined) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      api.areas({ layer: id, q, limit: LISTED }, abort.signal).then(
        (answer) => {
          setAreas(answer.areas);
          setAt(0);
        },
        () => undefined,
      );
    }, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [words, id]);

  const close = () => {
    setAreas(null);
    setWords('');
  };
  const take = (area: AreaItem | undefined) => {
    if (area === undefined) return;
    found(area.layer, area.code);
    close();
  };
  const open = areas !== null && words.trim() !== '';

  return (
    <div className="search">
      <input
        type="search"
        role="combobox"
        aria-label={t('area.find')}
        placeholder={t('area.find')}
        aria-expanded={open}
        aria-controls={list}
        aria-activedescendant={open && areas.length > 0 ? `${list}-${at}` : undefined}
        autoComplete="off"
        value={words}
        onChange={(event) => setWords(event.target.value)}
        onBlur={() => setTimeout(close, 150)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') close();
          else if (event.key === 'Enter') take(areas?.[at]);
          else if (event.key === 'ArrowDown') setAt((old) => Math.min(old + 1, (areas?.length ?? 1) - 1));
          else if (event.key === 'ArrowUp') setAt((old) => Math.max(old - 1, 0));
        }}
      />
      {open && areas.length === 0 && (
        <p className="search-none" role="status">
          {t('area.found.none')}
        </p>
      )}
      <ul
        className="search-list"
        id={list}
        role="listbox"
        aria-label={t('area.find')}
        hidden={!open || areas.length === 0}
      >
        {(areas ?? []).map((area, i) => (
          <li
            key={`${area.level}/${area.code}`}
            id={`${list}-${i}`}
            role="option"
            aria-selected={i === at}
            onPointerDown={() => take(area)}
          >
            <span>{tx(area.name, area.code)}</span>
            <span className="quiet num">{area.code}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
