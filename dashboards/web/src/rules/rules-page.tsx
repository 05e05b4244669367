// The page of rules: the shelf on the left with the storms, the chosen rule on the right.
import { useCallback, useEffect, useState } from 'react';
import { ApiError, closeSession } from '../api/client';
import { rules } from '../api/rules';
import { useSpeech } from '../i18n';
import { TopBar, type Frame } from '../panels/top-bar';
import { faultOf } from '../pure/rules';
import { useNow } from '../state/use-now';
import { NewRule } from './new-rule';
import { RulePanel } from './rule-panel';
import { RuleTable } from './rule-table';
import { StormList } from './storm-list';
import { useAsked } from './use-asked';
import { useFaultSaid } from './words';

/** The shelf is read from its log at each question; people change rules rarely. */
const EVERY_MS = 15_000;
/** A stream that restarts is there again in seconds. */
const AGAIN_MS = 3_000;

export function RulesPage(frame: Frame) {
  const { start, place, go, leave } = frame;
  const { t, tx } = useSpeech();
  const { city, session } = start;
  const cityNow = useNow() + city.now - start.at;
  const [isNew, setIsNew] = useState(false);
  const [isAway, setIsAway] = useState(false);
  const every = !session.has_rules ? null : isAway ? AGAIN_MS : EVERY_MS;
  const shelf = useAsked('shelf', every, (signal) => rules.list(signal));
  const { error } = shelf;
  useEffect(() => {
    setIsAway(error !== null);
    if (error instanceof ApiError && error.status === 401) leave();
  }, [error, leave]);

  const cityName = tx(city.name, t('app.title'));
  useEffect(() => {
    document.title = `${t('page.rules')} · ${cityName} · ${t('app.name')}`;
  }, [cityName, t]);

  const open = useCallback(
    (rule: string | null) => {
      setIsNew(false);
      go({ page: 'rules', rule });
    },
    [go],
  );
  const signOut = useCallback(() => void closeSession().finally(leave), [leave]);
  const zone = city.timezone;
  const isSide = isNew || place.rule !== null;

  return (
    <div className="page rules-page">
      <TopBar frame={frame} cityNow={cityNow} skip={['rules', t('rules.skip')]} leave={signOut}>
        <span className="top-gap" />
      </TopBar>
      <ShelfNotice error={error} known={shelf.value !== null} />
      <main className="rules" data-side={isSide}>
        <section className="rules-list" id="rules" tabIndex={-1} aria-labelledby="rules-title">
          <StormList cityNow={cityNow} zone={zone} go={open} />
          <header className="panel-head">
            <h2 id="rules-title">{t('rules.title')}</h2>
            {session.may_change_rules ? (
              session.has_rules && (
                <button type="button" className="button small" onClick={() => setIsNew(true)} data-do="new">
                  {t('rules.new')}
                </button>
              )
            ) : (
              <span className="quiet">{t('rules.only_look')}</span>
            )}
          </header>
          {shelf.value === null ? (
            <p className="empty" role="status">
              {t(error === null ? 'rules.loading' : 'rules.nothing')}
            </p>
          ) : (
            <RuleTable shelf={shelf.value} chosen={place.rule} cityNow={cityNow} zone={zone} open={open} />
          )}
        </section>
        {isNew ? (
          <NewRule
            session={session}
            written={(id) => {
              shelf.again();
              open(id);
            }}
            close={() => setIsNew(false)}
          />
        ) : (
          place.rule !== null && (
            <RulePanel
              key={place.rule}
              id={place.rule}
              session={session}
              cityNow={cityNow}
              zone={zone}
              changed={shelf.again}
              close={() => open(null)}
            />
          )
        )}
      </main>
    </div>
  );
}

/** The stream is away, or there is none: said in words over the whole page. */
function ShelfNotice({ error, known }: { error: unknown; known: boolean }) {
  const { t } = useSpeech();
  const said = useFaultSaid();
  if (error === null) return null;
  const fault = faultOf(error);
  return (
    <p className="notice" role="alert" data-notice={fault.why}>
      {said(fault)} {known && t('rules.fault.as_known')}
    </p>
  );
}
