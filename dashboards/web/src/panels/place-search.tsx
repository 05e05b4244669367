// Finds an area by name or code and an entity by its id, so that the map can be used without a pointer.
import { useCallback, useEffect, useId, useState } from 'react';
import { api } from '../api/client';
import type { AreaItem, EntityKind, Layer } from '../api/types';
import { useSpeech } from '../i18n';
import type { Known } from '../map/entity-store';

const SETTLE_MS = 200;
const AREAS_LISTED = 8;
const ENTITIES_LISTED = 5;

type Found = { what: 'area'; area: AreaItem } | { what: 'entity'; entity: Known };

interface PlaceSearchProps {
  layer: Layer | undefined;
  kinds: readonly EntityKind[];
  entities: (words: string, most: number) => Known[];
  goArea: (layer: string, code: string) => void;
  goEntity: (source: string) => void;
}

function keyOf(found: Found): string {
  return found.what === 'area' ? `${found.area.level}/${found.area.code}` : `entity/${found.entity.source}`;
}

export function PlaceSearch({ layer, kinds, entities, goArea, goEntity }: PlaceSearchProps) {
  const { t, tx } = useSpeech();
  const [words, setWords] = useState('');
  const [results, setResults] = useState<{ q: string; found: Found[] } | null>(null);
  const [at, setAt] = useState(0);
  const list = useId();
  const id = layer?.id;

  const find = useCallback(
    async (q: string, signal?: AbortSignal): Promise<Found[]> => {
      if (q === '' || id === undefined) return [];
      const things = entities(q, ENTITIES_LISTED).map((entity): Found => ({ what: 'entity', entity }));
      const areas = await api.areas({ layer: id, q, limit: AREAS_LISTED }, signal).then(
        (answer) => answer.areas,
        () => [],
      );
      return [...areas.map((area): Found => ({ what: 'area', area })), ...things];
    },
    [id, entities],
  );

  useEffect(() => {
    const q = words.trim();
    if (q === '' || id === undefined) return;
    const abort = new AbortController();
    const show = (found: Found[]) => {
      if (abort.signal.aborted) return;
      setResults({ q, found });
      setAt(0);
    };
    const timer = setTimeout(() => void find(q, abort.signal).then(show), SETTLE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [words, id, find]);

  const close = () => {
    setResults(null);
    setWords('');
  };
  const take = (found: Found | undefined) => {
    if (found === undefined) return;
    if (found.what === 'area') goArea(found.area.layer, found.area.code);
    else goEntity(found.entity.source);
    close();
  };
  // What is listed may answer the words of a moment ago; who is quicker than the list gets what it will say.
  const enter = async () => {
    const q = words.trim();
    take(results?.q === q ? results.found[at] : (await find(q))[0]);
  };
  const listed = results?.found ?? [];
  const open = results !== null && words.trim() !== '';
  const about = (found: Found): [string, string] => {
    if (found.what === 'area') {
      const level = layer?.levels.find((one) => one.id === found.area.level);
      return [tx(found.area.name, found.area.code), `${tx(level?.name, found.area.level)} ${found.area.code}`];
    }
    const kind = kinds.find((one) => one.kind === found.entity.kind);
    return [found.entity.source, tx(kind?.name, found.entity.kind)];
  };

  return (
    <div className="search">
      <input
        type="search"
        role="combobox"
        aria-label={t('find.label')}
        placeholder={t('find.label')}
        aria-expanded={open}
        aria-controls={list}
        aria-activedescendant={open && listed.length > 0 ? `${list}-${at}` : undefined}
        autoComplete="off"
        value={words}
        onChange={(event) => setWords(event.target.value)}
        onBlur={() => setTimeout(close, 150)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') close();
          else if (event.key === 'Enter') void enter();
          else if (event.key === 'ArrowDown') setAt((old) => Math.min(old + 1, Math.max(listed.length, 1) - 1));
          else if (event.key === 'ArrowUp') setAt((old) => Math.max(old - 1, 0));
          else return;
          event.preventDefault();
        }}
      />
      {open && listed.length === 0 && (
        <p className="search-none" role="status">
          {t('find.none')}
        </p>
      )}
      <ul
        className="search-list"
        id={list}
        role="listbox"
        aria-label={t('find.label')}
        hidden={!open || listed.length === 0}
      >
        {listed.map((found, i) => {
          const [name, what] = about(found);
          return (
            <li
              key={keyOf(found)}
              id={`${list}-${i}`}
              role="option"
              aria-selected={i === at}
              data-found={found.what}
              onPointerDown={() => take(found)}
            >
              <span>{name}</span>
              <span className="quiet num">{what}</span>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
