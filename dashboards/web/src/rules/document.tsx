// A rule's document: as it stands, and in a plain text area. What is written is checked by the stream first, so an error names its line.
import { useRef, useState } from 'react';
import { rules, type RuleDocument, type RuleState, type Signature, type Written } from '../api/rules';
import type { Session } from '../api/types';
import { useSpeech } from '../i18n';
import { editable, faultOf, lineSpan, pretty, type Fault } from '../pure/rules';
import { ChangeForm } from './change-form';
import { useFaultSaid } from './words';

export function DocumentText({ document, failed }: { document: RuleDocument | null; failed: boolean }) {
  const { t } = useSpeech();
  if (document === null) return <p role="status">{t(failed ? 'rules.document.failed' : 'rules.loading')}</p>;
  return (
    <pre className="document num" tabIndex={0} aria-label={t('rules.document')}>
      {pretty(document)}
    </pre>
  );
}

const WRITABLE: readonly RuleState[] = ['draft', 'active', 'retired'];

interface DocumentEditorProps {
  session: Session;
  /** null: a new rule, called as its document says */
  id: string | null;
  /** the version it is based on; 0 for a new rule */
  version: number;
  document: RuleDocument;
  state: RuleState;
  done: (written: Written) => void;
  lookAnew: () => void;
  cancel: () => void;
}

export function DocumentEditor(props: DocumentEditorProps) {
  const { session, id, version, document, done, lookAnew, cancel } = props;
  const { t } = useSpeech();
  const said = useFaultSaid();
  const area = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(() => pretty(editable(document)));
  const [state, setState] = useState<RuleState>(props.state);
  const [checked, setChecked] = useState<RuleDocument | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  // A version that somebody else wrote meanwhile does not become the one this is based on.
  const [base] = useState(version);

  const show = (found: Fault) => {
    setFault(found);
    if (found.why !== 'invalid' || found.line === null || area.current === null) return;
    area.current.focus();
    area.current.setSelectionRange(...lineSpan(text, found.line));
  };
  const check = async () => {
    setFault(null);
    setChecked(null);
    try {
      const found = await rules.check(text);
      if (id !== null && found['id'] !== id) {
        show({ why: 'invalid', line: null, field: 'id', detail: t('rules.id.differs', { id }) });
      } else setChecked(found);
    } catch (error) {
      show(faultOf(error));
    }
  };
  const write = (signature: Signature) => {
    const whole = editable(checked ?? {});
    return rules.put(String(whole['id']), { ...whole, state }, signature);
  };

  return (
    <div className="editor">
      <label className="field wide">
        {t('rules.text')}
        <textarea
          ref={area}
          name="document"
          className="document num"
          spellCheck={false}
          value={text}
          aria-invalid={fault !== null}
          onChange={(event) => {
            setText(event.target.value);
            setChecked(null);
          }}
        />
      </label>
      {fault !== null && (
        <p
          className="fault"
          role="alert"
          data-fault={fault.why}
          data-line={fault.why === 'invalid' ? fault.line : null}
        >
          {said(fault)}
        </p>
      )}
      {checked === null ? (
        <div className="buttons">
          <button type="button" className="button primary" onClick={() => void check()} data-do="check">
            {t('rules.check')}
          </button>
          <button type="button" className="button" onClick={cancel} data-do="cancel">
            {t('rules.cancel')}
          </button>
        </div>
      ) : (
        <ChangeForm
          session={session}
          version={base}
          about={t(base === 0 ? 'rules.checked.new' : 'rules.checked', { version: String(base) })}
          act={write}
          done={done}
          lookAnew={lookAnew}
          cancel={cancel}
        >
          <label className="field">
            {t('rules.write_as')}
            <select name="state" value={state} onChange={(event) => setState(stateNamed(event.target.value))}>
              {WRITABLE.map((one) => (
                <option key={one} value={one}>
                  {t(`rules.state.${one}`)}
                </option>
              ))}
            </select>
          </label>
        </ChangeForm>
      )}
    </div>
  );
}

const stateNamed = (name: string): RuleState => WRITABLE.find((one) => one === name) ?? 'draft';
