// The last question before a rule is changed: why, and by whom where nobody is signed in by name.
import { useState, type ReactNode, type SyntheticEvent } from 'react';
import type { Signature, Written } from '../api/rules';
import type { Session } from '../api/types';
import { useSpeech } from '../i18n';
import { faultOf, type Fault } from '../pure/rules';
import { useFaultSaid } from './words';

interface ChangeFormProps {
  session: Session;
  /** the version this is decided on; 0 for a new rule */
  version: number;
  /** what will happen, in a sentence */
  about: string;
  act: (signature: Signature) => Promise<Written>;
  done: (written: Written) => void;
  /** somebody else was quicker: look anew */
  lookAnew: () => void;
  cancel: () => void;
  children?: ReactNode;
}

export function ChangeForm({ session, version, about, act, done, lookAnew, cancel, children }: ChangeFormProps) {
  const { t } = useSpeech();
  const said = useFaultSaid();
  const [by, setBy] = useState(session.name ?? '');
  const [why, setWhy] = useState('');
  const [fault, setFault] = useState<Fault | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: SyntheticEvent) => {
    event.preventDefault();
    setBusy(true);
    setFault(null);
    try {
      done(await act({ by: by.trim(), why: why.trim(), version }));
    } catch (error) {
      setFault(faultOf(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form className="change" onSubmit={(event) => void submit(event)} data-change={version}>
      <p>{about}</p>
      {children}
      <label className="field wide">
        {t('rules.why')}
        <input
          name="why"
          value={why}
          maxLength={300}
          required
          autoFocus
          onChange={(event) => setWhy(event.target.value)}
        />
      </label>
      {session.name === null ? (
        <label className="field wide">
          {t('rules.by')}
          <input
            name="by"
            value={by}
            maxLength={64}
            required
            autoComplete="name"
            onChange={(event) => setBy(event.target.value)}
          />
        </label>
      ) : (
        <p className="quiet">{t('rules.signed', { name: session.name })}</p>
      )}
      {fault !== null && (
        <p className="fault" role="alert" data-fault={fault.why}>
          {said(fault)}{' '}
          {fault.why === 'moved' && (
            <button type="button" className="link" onClick={lookAnew} data-do="look-anew">
              {t('rules.look_anew')}
            </button>
          )}
        </p>
      )}
      <div className="buttons">
        <button
          type="submit"
          className="button primary"
          disabled={busy || why.trim() === '' || by.trim() === ''}
          data-do="confirm"
        >
          {t('rules.confirm')}
        </button>
        <button type="button" className="button" onClick={cancel} data-do="cancel">
          {t('rules.cancel')}
        </button>
      </div>
    </form>
  );
}
