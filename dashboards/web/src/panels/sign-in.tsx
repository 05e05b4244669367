// The token field.
import { useState, type SyntheticEvent } from 'react';
import { ApiError, openSession } from '../api/client';
import { useSpeech } from '../i18n';

export function SignIn({ enter }: { enter: () => Promise<void> }) {
  const { t, lang, switchLang } = useSpeech();
  const [token, setToken] = useState('');
  const [name, setName] = useState('');
  const [fault, setFault] = useState<'refused' | 'failed' | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: SyntheticEvent) => {
    event.preventDefault();
    setBusy(true);
    setFault(null);
    try {
      await openSession(token.trim(), name.trim());
      await enter();
    } catch (error) {
      setFault(error instanceof ApiError && error.status === 401 ? 'refused' : 'failed');
    } finally {
      setBusy(false);
    }
  };

  return (
    <main className="gate">
      <h1 className="gate-name">{t('app.name')}</h1>
      <form className="gate-form" onSubmit={(event) => void submit(event)}>
        <h2>{t('session.title')}</h2>
        <p className="quiet" id="session-about">
          {t('session.about')}
        </p>
        <label htmlFor="token">{t('session.token')}</label>
        <input
          id="token"
          name="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={token}
          aria-describedby="session-about"
          onChange={(event) => setToken(event.target.value)}
          required
        />
        <label htmlFor="person">
          {t('session.name')} <span className="quiet">{t('session.name.about')}</span>
        </label>
        <input
          id="person"
          name="person"
          autoComplete="name"
          maxLength={64}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        {fault !== null && (
          <p className="fault" role="alert">
            {t(fault === 'refused' ? 'session.refused' : 'app.failed')}
          </p>
        )}
        <button type="submit" className="button primary" disabled={busy || token.trim() === ''}>
          {t('session.enter')}
        </button>
      </form>
      <button
        type="button"
        className="link"
        onClick={switchLang}
        aria-label={t('lang.label')}
        lang={lang === 'en' ? 'zh-CN' : 'en'}
      >
        {t('lang.switch')}
      </button>
    </main>
  );
}
