// The way in: token → session → city → page, and a designed answer when a step fails.
import { useCallback, useEffect, useState } from 'react';
import { ApiError, api, openSession, takeTokenFromAddress } from './api/client';
import { Overview } from './overview';
import { SignIn } from './panels/sign-in';
import { useSpeech } from './i18n';
import type { Start } from './state/use-city';
import { useTheme } from './state/use-theme';

type Phase = { at: 'loading' } | { at: 'token' } | { at: 'failed'; why: string } | { at: 'ready'; start: Start };

const RETRY_MS = 3_000;

async function fetchStart(): Promise<Start> {
  const [city, { layers }, { metrics }] = await Promise.all([api.city(), api.layers(), api.metrics()]);
  return { city, layers, metrics };
}

export function App() {
  const { t } = useSpeech();
  const [ground, flipGround] = useTheme();
  const [phase, setPhase] = useState<Phase>({ at: 'loading' });

  const begin = useCallback(async (token: string | null) => {
    try {
      if (token !== null) await openSession(token);
      setPhase({ at: 'ready', start: await fetchStart() });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) setPhase({ at: 'token' });
      else setPhase({ at: 'failed', why: error instanceof Error ? error.message : '' });
    }
  }, []);

  useEffect(() => {
    void begin(takeTokenFromAddress());
  }, [begin]);

  // A console that is only just starting answers soon; nobody should have to press a button for that.
  useEffect(() => {
    if (phase.at !== 'failed') return;
    const timer = setTimeout(() => void begin(takeTokenFromAddress()), RETRY_MS);
    return () => clearTimeout(timer);
  }, [phase, begin]);

  if (phase.at === 'ready') {
    return (
      <Overview start={phase.start} ground={ground} flipGround={flipGround} leave={() => setPhase({ at: 'token' })} />
    );
  }
  if (phase.at === 'token') return <SignIn enter={begin} />;
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
          <p className="quiet">{phase.why}</p>
          <button type="button" className="button" onClick={() => void begin(takeTokenFromAddress())}>
            {t('app.retry')}
          </button>
        </>
      )}
    </main>
  );
}
