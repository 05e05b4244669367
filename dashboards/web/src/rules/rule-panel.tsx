// One rule: what it is now, its document, its history, what it would have said of the past; and, where permitted, its changes.
import { useState } from 'react';
import { rules, type RuleDocument, type RuleLine, type RuleState, type Signature, type Written } from '../api/rules';
import type { Session } from '../api/types';
import { useSpeech } from '../i18n';
import { clock } from '../pure/format';
import { faultOf, newestNumber } from '../pure/rules';
import { Detail } from '../panels/detail';
import { SeverityMark } from '../panels/severity';
import { Backtest } from './backtest';
import { ChangeForm } from './change-form';
import { DocumentEditor, DocumentText } from './document';
import { History } from './history';
import { useAsked } from './use-asked';
import { StateBadge, useFaultSaid, useKindName } from './words';

const EVERY_MS = 15_000;

type Tab = 'document' | 'history' | 'try';

/** A change that is being decided on. */
export interface Wish {
  /** said in a sentence */
  about: string;
  act: (signature: Signature) => Promise<Written>;
}

interface RulePanelProps {
  id: string;
  session: Session;
  cityNow: number;
  zone: string;
  /** something was written */
  changed: () => void;
  close: () => void;
}

export function RulePanel({ id, session, cityNow, zone, changed, close }: RulePanelProps) {
  const { t, tx, lang } = useSpeech();
  const kindName = useKindName();
  const said = useFaultSaid();
  const [tab, setTab] = useState<Tab>('document');
  const [wish, setWish] = useState<Wish | null>(null);
  const [isEdited, setIsEdited] = useState(false);
  const [written, setWritten] = useState<Written | null>(null);
  const history = useAsked(`versions ${id}`, EVERY_MS, async (signal) => (await rules.versions(id, signal)).versions);
  const lines = history.value ?? [];
  const newest = newestNumber(lines);
  const document = useAsked<RuleDocument | null>(`document ${id} ${newest ?? ''}`, null, (signal) =>
    newest === null ? Promise.resolve(null) : rules.document(id, newest, signal),
  );

  // What was written before is no news for whoever decides anew.
  const wishFor = (next: Wish) => {
    setWritten(null);
    setWish(next);
  };
  const edit = () => {
    setWritten(null);
    setIsEdited(true);
  };
  const done = (what: Written) => {
    setWish(null);
    setIsEdited(false);
    setWritten(what);
    history.again();
    changed();
  };
  const lookAnew = () => {
    setWish(null);
    setIsEdited(false);
    setTab('history');
    history.again();
    changed();
  };
  const now = lines.at(-1);
  if (now === undefined) {
    const fault = history.error === null ? null : faultOf(history.error);
    return (
      <Detail eyebrow={t('rules.rule')} title={id} close={close} data={{ 'data-chosen-rule': id }}>
        <p role="status">{fault === null ? t('rules.loading') : said(fault)}</p>
      </Detail>
    );
  }
  const titled = lines.findLast((line) => line.title !== undefined);
  const eyebrow = (
    <>
      {titled?.severity !== undefined && (
        <>
          <SeverityMark severity={titled.severity} open={now.state === 'active'} /> {t(`severity.${titled.severity}`)}{' '}
          ·{' '}
        </>
      )}
      {kindName(titled?.kind)} · <StateBadge state={now.state} />
    </>
  );
  const decide = session.may_change_rules && newest !== null && wish === null && !isEdited;
  return (
    <Detail eyebrow={eyebrow} title={tx(titled?.title, id)} close={close} data={{ 'data-chosen-rule': id }}>
      <Facts id={id} now={now} newest={newest} at={clock(now.appended_at, cityNow, zone, lang)} />
      {written !== null && (
        <p className="written" role="status" data-written={written.version}>
          {written.unchanged === true ? t('rules.unchanged') : t('rules.written', { version: String(written.version) })}
        </p>
      )}
      {decide && <Decisions id={id} state={now.state} newest={newest} wish={wishFor} edit={edit} />}
      {wish !== null && newest !== null && (
        <ChangeForm
          session={session}
          version={newest}
          about={wish.about}
          act={wish.act}
          done={done}
          lookAnew={lookAnew}
          cancel={() => setWish(null)}
        />
      )}
      {isEdited && newest !== null && document.value !== null ? (
        <DocumentEditor
          session={session}
          id={id}
          version={newest}
          document={document.value}
          state={now.state === 'removed' ? 'draft' : now.state}
          done={done}
          lookAnew={lookAnew}
          cancel={() => setIsEdited(false)}
        />
      ) : (
        <>
          <Tabs tab={tab} show={setTab} />
          {tab === 'document' && <DocumentText document={document.value} failed={document.error !== null} />}
          {tab === 'history' && (
            <History
              id={id}
              lines={lines}
              newest={newest}
              cityNow={cityNow}
              zone={zone}
              {...(decide ? { takeBack: (version: number) => wishFor(takeBack(version)) } : {})}
            />
          )}
          {tab === 'try' && <Backtest document={document.value} mayTry={session.may_change_rules} />}
        </>
      )}
    </Detail>
  );

  function takeBack(version: number): Wish {
    const about = t('rules.rollback.about', { version: String(version) });
    return { about, act: (signature) => rules.rollback(id, version, signature) };
  }
}

interface FactsProps {
  id: string;
  now: RuleLine;
  newest: number | null;
  at: string;
}

function Facts({ id, now, newest, at }: FactsProps) {
  const { t } = useSpeech();
  return (
    <dl className="facts">
      <dt>{t('rules.id')}</dt>
      <dd className="num">{id}</dd>
      <dt>{t('rules.col.version')}</dt>
      <dd className="num" data-version={newest ?? ''}>
        {newest ?? '–'} <span className="quiet">{at}</span>
      </dd>
      <dt>{t('rules.col.by')}</dt>
      <dd>
        {now.changed?.by ?? (
          <span className="quiet">{t(now.state === 'removed' ? 'rules.by.gone' : 'rules.by.file')}</span>
        )}
        {now.changed?.why !== undefined && <span className="quiet">{now.changed.why}</span>}
      </dd>
    </dl>
  );
}

interface DecisionsProps {
  id: string;
  state: RuleState;
  newest: number;
  wish: (wish: Wish) => void;
  edit: () => void;
}

function Decisions({ id, state, newest, wish, edit }: DecisionsProps) {
  const { t } = useSpeech();
  const version = String(newest);
  const turn = (to: RuleState, about: string) => wish({ about, act: (signature) => rules.turn(id, to, signature) });
  return (
    <div className="buttons">
      {state !== 'active' && (
        <button
          type="button"
          className="button small primary"
          onClick={() => turn('active', t('rules.activate.about', { version }))}
          data-do="activate"
        >
          {t('rules.activate')}
        </button>
      )}
      {state === 'active' && (
        <button
          type="button"
          className="button small"
          onClick={() => turn('retired', t('rules.retire.about', { version }))}
          data-do="retire"
        >
          {t('rules.retire')}
        </button>
      )}
      <button type="button" className="button small" onClick={edit} data-do="edit">
        {t('rules.edit')}
      </button>
    </div>
  );
}

function Tabs({ tab, show }: { tab: Tab; show: (tab: Tab) => void }) {
  const { t } = useSpeech();
  const tabs: [Tab, string][] = [
    ['document', t('rules.document')],
    ['history', t('rules.history')],
    ['try', t('rules.try')],
  ];
  return (
    <div className="segments tabs" role="group" aria-label={t('rules.parts')}>
      {tabs.map(([one, name]) => (
        <button key={one} type="button" data-tab={one} aria-pressed={tab === one} onClick={() => show(one)}>
          {name}
        </button>
      ))}
    </div>
  );
}
