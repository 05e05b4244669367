// A rule tried on the archived past, against the rules in force: how many alerts it would have added and taken away.
import { useEffect, useState } from 'react';
import { rules, type Backtest as Try, type Outcome, type RuleDocument } from '../api/rules';
import { useSpeech } from '../i18n';
import { number, span } from '../pure/format';
import { faultOf, type Fault } from '../pure/rules';
import { useFaultSaid } from './words';

const SPANS: readonly number[] = [3_600, 21_600, 86_400, 604_800];
const EVERY_MS = 1_000;

interface BacktestProps {
  document: RuleDocument | null;
  mayTry: boolean;
}

export function Backtest({ document, mayTry }: BacktestProps) {
  const { t, lang } = useSpeech();
  const said = useFaultSaid();
  const [seconds, setSeconds] = useState(3_600);
  const [tried, setTried] = useState<Try | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const running = tried?.state === 'running' ? tried.number : null;

  useEffect(() => {
    if (running === null) return;
    const abort = new AbortController();
    const look = () =>
      void rules.lookTry(running, abort.signal).then(setTried, (error: unknown) => {
        if (!abort.signal.aborted) setFault(faultOf(error));
      });
    const timer = setInterval(look, EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [running]);

  const begin = () => {
    if (document === null) return;
    setFault(null);
    rules.beginTry(document, Date.now() - seconds * 1000).then(setTried, (error: unknown) => setFault(faultOf(error)));
  };
  const stop = () => {
    if (running === null) return;
    rules.stopTry(running).then(
      () => setTried({ number: running, state: 'stopped' }),
      (error: unknown) => setFault(faultOf(error)),
    );
  };

  if (!mayTry) return <p className="quiet">{t('rules.only_look')}</p>;
  return (
    <div className="try" data-try={tried?.state ?? ''}>
      <p className="quiet">{t('rules.try.about')}</p>
      <div className="buttons">
        <label className="inline-field">
          {t('rules.try.span')}{' '}
          <select name="try-span" value={seconds} onChange={(event) => setSeconds(Number(event.target.value))}>
            {SPANS.map((one) => (
              <option key={one} value={one}>
                {span(one, lang)}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          className="button small primary"
          disabled={document === null || running !== null}
          onClick={begin}
          data-do="begin-try"
        >
          {t('rules.try.begin')}
        </button>
        {running !== null && (
          <button type="button" className="button small" onClick={stop} data-do="stop-try">
            {t('rules.try.stop')}
          </button>
        )}
      </div>
      {fault !== null && (
        <p className="fault" role="alert" data-fault={fault.why}>
          {said(fault)}
        </p>
      )}
      {tried !== null && tried.state !== 'done' && (
        <p role="status">
          {t(`rules.try.${tried.state}`, { n: number(tried.records ?? 0, lang), why: tried.why ?? '' })}
        </p>
      )}
      {tried?.outcome !== undefined && <Found outcome={tried.outcome} />}
    </div>
  );
}

function Found({ outcome }: { outcome: Outcome }) {
  const { t, lang } = useSpeech();
  const n = (value: number) => number(value, lang);
  const shown = outcome.rules.filter((rule) => rule.state !== 'same' || rule.added + rule.removed + rule.changed > 0);
  return (
    <>
      <p role="status" data-records={outcome.records}>
        {t('rules.try.found', {
          n: n(outcome.records),
          before: n(outcome.before.alerts),
          after: n(outcome.after.alerts),
        })}
      </p>
      {shown.length > 0 && (
        <table className="tried">
          <thead>
            <tr>
              <th scope="col">{t('rules.col.rule')}</th>
              <th scope="col" className="right">
                {t('rules.try.before')}
              </th>
              <th scope="col" className="right">
                {t('rules.try.after')}
              </th>
              <th scope="col" className="right">
                {t('rules.try.added')}
              </th>
              <th scope="col" className="right">
                {t('rules.try.removed')}
              </th>
              <th scope="col" className="right">
                {t('rules.try.changed')}
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((rule) => (
              <tr key={rule.rule} data-tried={rule.rule}>
                <td>{rule.rule}</td>
                <td className="num right">{n(rule.before)}</td>
                <td className="num right">{n(rule.after)}</td>
                <td className="num right">{n(rule.added)}</td>
                <td className="num right">{n(rule.removed)}</td>
                <td className="num right">{n(rule.changed)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
