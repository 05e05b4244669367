// What the parts of the rules' page say alike: states, kinds, and why something could not be done.
import type { RuleState } from '../api/rules';
import { useSpeech } from '../i18n';
import { isKind, type Fault } from '../pure/rules';

export function StateBadge({ state }: { state: RuleState }) {
  const { t } = useSpeech();
  return (
    <span className="state" data-state={state}>
      {t(`rules.state.${state}`)}
    </span>
  );
}

/** A kind's name; one that this page does not know is called as the document calls it. */
export function useKindName(): (kind: string | undefined) => string {
  const { t } = useSpeech();
  return (kind) => (kind === undefined ? '–' : isKind(kind) ? t(`rules.kind.${kind}`) : kind);
}

/** A fault in a sentence. */
export function useFaultSaid(): (fault: Fault) => string {
  const { t } = useSpeech();
  return (fault) => {
    if (fault.why === 'other') return t('rules.fault.other', { detail: fault.detail });
    if (fault.why !== 'invalid') return t(`rules.fault.${fault.why}`);
    const what = fault.field === '' ? fault.detail : `${fault.field} ${fault.detail}`;
    if (fault.line === null) return t('rules.fault.invalid', { what });
    return t('rules.fault.invalid.line', { line: String(fault.line), what });
  };
}
