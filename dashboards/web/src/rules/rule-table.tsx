// The shelf as a table: what there is, in which state, who changed it when. Choosing a line opens the rule.
import { useMemo, useState } from 'react';
import type { RuleLine, RuleState, Shelf } from '../api/rules';
import { useSpeech } from '../i18n';
import { clock, number } from '../pure/format';
import { KINDS, STATES, countStates, filterRules, sortRules, type RuleFilter } from '../pure/rules';
import { SeverityMark } from '../panels/severity';
import { StateBadge, useKindName } from './words';

/** Lines drawn at once; the rest is found by words. */
const DRAWN = 300;

interface RuleTableProps {
  shelf: Shelf;
  chosen: string | null;
  cityNow: number;
  zone: string;
  open: (rule: string) => void;
}

export function RuleTable({ shelf, chosen, cityNow, zone, open }: RuleTableProps) {
  const { t, lang } = useSpeech();
  const [filter, setFilter] = useState<RuleFilter>({ state: null, kind: null, words: '' });
  const listed = useMemo(() => sortRules(filterRules(shelf.rules, filter), lang), [shelf.rules, filter, lang]);
  const hidden = listed.length - DRAWN;
  return (
    <>
      <Filters shelf={shelf} filter={filter} set={setFilter} />
      <div className="shelf">
        <table>
          <thead>
            <tr>
              <th scope="col">{t('rules.col.rule')}</th>
              <th scope="col">{t('rules.col.kind')}</th>
              <th scope="col">{t('rules.col.state')}</th>
              <th scope="col" className="right">
                {t('rules.col.version')}
              </th>
              <th scope="col">{t('rules.col.by')}</th>
              <th scope="col">{t('rules.col.when')}</th>
            </tr>
          </thead>
          <tbody>
            {listed.slice(0, DRAWN).map((line) => (
              <Row
                key={line.id}
                line={line}
                chosen={line.id === chosen}
                when={clock(line.appended_at, cityNow, zone, lang, false)}
                open={open}
              />
            ))}
          </tbody>
        </table>
        {listed.length === 0 && (
          <p className="empty" role="status">
            {t(shelf.rules.length === 0 ? 'rules.none' : 'rules.none.filter')}
          </p>
        )}
        {hidden > 0 && <p className="quiet list-end">{t('rules.more', { n: number(hidden, lang) })}</p>}
        {shelf.unread.length > 0 && (
          <p className="quiet list-end" data-unread={shelf.unread.length}>
            {t('rules.unread', { n: number(shelf.unread.length, lang) })}
          </p>
        )}
      </div>
    </>
  );
}

interface FiltersProps {
  shelf: Shelf;
  filter: RuleFilter;
  set: (filter: RuleFilter) => void;
}

function Filters({ shelf, filter, set }: FiltersProps) {
  const { t, lang } = useSpeech();
  const counts = useMemo(() => countStates(shelf.rules), [shelf.rules]);
  const all = shelf.rules.length - counts.removed;
  const states: [RuleState | null, string, number][] = [
    [null, t('rules.all'), all],
    ...STATES.map((state): [RuleState, string, number] => [state, t(`rules.state.${state}`), counts[state]]),
  ];
  return (
    <div className="rule-filters">
      <label className="field">
        {t('rules.search')}
        <input
          type="search"
          name="words"
          value={filter.words}
          placeholder={t('rules.search.about')}
          onChange={(event) => set({ ...filter, words: event.target.value })}
        />
      </label>
      <label className="field">
        {t('rules.col.kind')}
        <select
          name="kind"
          value={filter.kind ?? ''}
          onChange={(event) => set({ ...filter, kind: event.target.value === '' ? null : event.target.value })}
        >
          <option value="">{t('rules.kind.any')}</option>
          {KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {t(`rules.kind.${kind}`)}
            </option>
          ))}
        </select>
      </label>
      <div className="segments" role="group" aria-label={t('rules.col.state')}>
        {states.map(([state, name, count]) => (
          <button
            key={state ?? 'all'}
            type="button"
            data-filter-state={state ?? 'all'}
            aria-pressed={filter.state === state}
            onClick={() => set({ ...filter, state })}
          >
            {name} <span className="quiet num">{number(count, lang)}</span>
          </button>
        ))}
      </div>
    </div>
  );
}

interface RowProps {
  line: RuleLine;
  chosen: boolean;
  when: string;
  open: (rule: string) => void;
}

function Row({ line, chosen, when, open }: RowProps) {
  const { t, tx } = useSpeech();
  const kindName = useKindName();
  const name = tx(line.title, line.id);
  return (
    <tr data-rule={line.id} data-state={line.state} aria-current={chosen} onClick={() => open(line.id)}>
      <td>
        <span className="rule-name">
          {line.severity !== undefined && <SeverityMark severity={line.severity} open={line.state === 'active'} />}
          <span className="rule-words">
            <button type="button" className="rule-open" onClick={() => open(line.id)}>
              {line.severity !== undefined && <span className="hidden">{t(`severity.${line.severity}`)} </span>}
              {name}
            </button>
            {name !== line.id && <span className="quiet num rule-id">{line.id}</span>}
          </span>
        </span>
      </td>
      <td>{kindName(line.kind)}</td>
      <td>
        <StateBadge state={line.state} />
      </td>
      <td className="num right">{line.version ?? '–'}</td>
      <td className="rule-by" title={line.changed?.why}>
        {line.changed?.by ?? <span className="quiet">{t('rules.by.file')}</span>}
      </td>
      <td className="num when">{when}</td>
    </tr>
  );
}
