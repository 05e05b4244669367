// The way in: token → session → city → page, and a designed answer when a step fails.
import { useCallback, useEffect, useRef, useState } from 'react';
import { ApiError, api, openSession, takeTokenFromAddress } from './api/client';
import type { Metric } from './api/types';
import { Overview } from './overview';
import { SignIn } from './panels/sign-in';
import { useSpeech } from './i18n';
import { RulesPage } from './rules/rules-page';
import { usePlace } from './state/place';
import type { Start } from './state/use-city';
import { useTheme } from './state/use-theme';

type Phase = { at: 'loading' } | { at: 'token' } | { at: 'failed' } | { at: 'ready'; start: Start };

const RETRY_MS = 3_000;

/** The page can be shown without ClickHouse: city and areas come from elsewhere. */
async function metricsIfAny(): Promise<Metric[] | null> {
  try {
    return (await api.metrics()).metrics;
  } catch (error) {
    if (error instanceof ApiError && error.status !== 401) return null;
    throw error;
  }
}

async function fetchStart(): Promise<Start> {
  const asked = [api.session(), api.city(), api.layers(), metricsIfAny()] as const;
  const [session, city, { layers }, metrics] = await Promise.all(asked);
  return { at: Date.now(), session, city, layers, metrics };
}

export function App() {
  const { t, setMadeUp } = useSpeech();
  const [ground, flipGround] = useTheme();
  const [place, go] = usePlace();
  const [phase, setPhase] = useState<Phase>({ at: 'loading' });

  const begin = useCallback(
    async (token: string | null) => {
      try {
        if (token !== null) await openSession(token);
        const start = await fetchStart();
        setMadeUp(start.city.simulated);
        setPhase({ at: 'ready', start });
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) setPhase({ at: 'token' });
        else setPhase({ at: 'failed' });
      }
    },
    [setMadeUp],
  );

  // The token of the address, until it has bought a session.
  const given = useRef<string | null>(null);
  useEffect(() => {
    given.current = takeTokenFromAddress();
    void begin(given.current);
  }, [begin]);

  // A console that is only just starting answers soon; nobody should have to press a button for that.
  useEffect(() => {
    if (phase.at !== 'failed') return;
    const timer = setTimeout(() => void begin(given.current), RETRY_MS);
    return () => clearTimeout(timer);
  }, [phase, begin]);

  const leave = useCallback(() => setPhase({ at: 'token' }), []);

  if (phase.at === 'ready') {
    const frame = { start: phase.start, place, go, ground, flipGround, leave };
    return place.page === 'rules' ? <RulesPage {...frame} /> : <Overview {...frame} />;
  }
  if (phase.at === 'token') return <SignIn enter={() => begin(null)} />;
  return (
    <main className="gate" aria-busy={phase.at === 'loading'}>
      <h1 className="gate-name">{t('app.name')}</h1>
      {phase.at === 'loading' ? (
        <p className="gate-wait" role="status">
          {t('app.loading')}
        </p>
      ) : (
        <>
          <p role="alert">{t('app.failed')}</p>
          <p className="quiet">{t('app.failed.about')}</p>
          <button type="button" className="button" onClick={() => void begin(given.current)}>
            {t('app.retry')}
          </button>
        </>
      )}
    </main>
  );
}
