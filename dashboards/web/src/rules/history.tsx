// A rule's history, newest first: who wrote which version when and why, and what differs between two of them.
import { useState } from 'react';
import { rules, type Difference, type RuleLine } from '../api/rules';
import { useSpeech } from '../i18n';
import { clock } from '../pure/format';
import { faultOf, valueSaid } from '../pure/rules';
import { useAsked } from './use-asked';
import { StateBadge, useFaultSaid } from './words';

interface HistoryProps {
  id: string;
  /** oldest first */
  lines: readonly RuleLine[];
  newest: number | null;
  cityNow: number;
  zone: string;
  /** missing where nothing may be changed */
  takeBack?: (version: number) => void;
}

export function History({ id, lines, newest, cityNow, zone, takeBack }: HistoryProps) {
  const { t, lang } = useSpeech();
  const numbers = [...new Set(lines.flatMap((line) => line.version ?? []))];
  const [asked, setAsked] = useState<{ from: number; to: number } | null>(null);
  const to = asked?.to ?? newest ?? 0;
  const from = asked?.from ?? numbers.findLast((one) => one < to) ?? to;
  return (
    <>
      <ol className="versions">
        {[...lines].reverse().map((line, at) => (
          <li key={`${line.appended_at} ${at}`} data-version={line.version ?? ''} data-state={line.state}>
            <span className="version-head">
              <strong className="num">
                {line.version === undefined ? '–' : t('rules.version', { version: String(line.version) })}
              </strong>
              <StateBadge state={line.state} />
              <span className="quiet num">{clock(line.appended_at, cityNow, zone, lang)}</span>
              {takeBack !== undefined && line.version !== undefined && line.version !== newest && (
                <button type="button" className="link" data-do="take-back" onClick={() => takeBack(line.version ?? 0)}>
                  {t('rules.rollback')}
                </button>
              )}
            </span>
            <span>
              {line.changed?.by ?? (
                <span className="quiet">{t(line.state === 'removed' ? 'rules.by.gone' : 'rules.by.file')}</span>
              )}
              {line.changed?.why !== undefined && <span className="quiet version-why">{line.changed.why}</span>}
            </span>
          </li>
        ))}
      </ol>
      {numbers.length > 1 && (
        <>
          <h3>
            {t('rules.diff')}
            <VersionChoice
              field="from"
              label={t('rules.diff.from')}
              numbers={numbers}
              value={from}
              set={(one) => setAsked({ from: one, to })}
            />
            <VersionChoice
              field="to"
              label={t('rules.diff.to')}
              numbers={numbers}
              value={to}
              set={(one) => setAsked({ from, to: one })}
            />
          </h3>
          <Differences id={id} from={from} to={to} />
        </>
      )}
    </>
  );
}

interface VersionChoiceProps {
  field: string;
  label: string;
  numbers: readonly number[];
  value: number;
  set: (version: number) => void;
}

function VersionChoice({ field, label, numbers, value, set }: VersionChoiceProps) {
  return (
    <label className="inline-field">
      {label}{' '}
      <select name={field} value={value} onChange={(event) => set(Number(event.target.value))}>
        {numbers.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
    </label>
  );
}

/** Who wrote a version and its number differ always. */
const OF_ITSELF = /^(version$|changed(\.|$))/;

function Differences({ id, from, to }: { id: string; from: number; to: number }) {
  const { t } = useSpeech();
  const said = useFaultSaid();
  const found = useAsked(`diff ${id} ${from} ${to}`, null, (signal) => rules.diff(id, from, to, signal));
  if (found.value === null)
    return <p role="status">{found.error === null ? t('rules.loading') : said(faultOf(found.error))}</p>;
  const differences = found.value.differences.filter((one) => !OF_ITSELF.test(one.field));
  if (differences.length === 0) return <p className="quiet">{t('rules.diff.none')}</p>;
  return (
    <table className="diff" data-from={from} data-to={to}>
      <thead>
        <tr>
          <th scope="col">{t('rules.diff.field')}</th>
          <th scope="col">{t('rules.version', { version: String(from) })}</th>
          <th scope="col">{t('rules.version', { version: String(to) })}</th>
        </tr>
      </thead>
      <tbody>
        {differences.map((one) => (
          <tr key={one.field} data-field={one.field}>
            <th scope="row" className="num">
              {one.field}
            </th>
            <Side value={one.before} kind="before" />
            <Side value={one.after} kind="after" />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Side({ value, kind }: { value: Difference['before']; kind: 'before' | 'after' }) {
  const { t } = useSpeech();
  const text = valueSaid(value);
  return (
    <td className="num">
      {text === null ? <span className="quiet">{t('rules.diff.absent')}</span> : <span className={kind}>{text}</span>}
    </td>
  );
}
