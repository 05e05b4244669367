// A rule nobody wrote yet: begins as a draft, from an example.
import type { Session } from '../api/types';
import { useSpeech } from '../i18n';
import { BLANK } from '../pure/rules';
import { Detail } from '../panels/detail';
import { DocumentEditor } from './document';

interface NewRuleProps {
  session: Session;
  written: (id: string) => void;
  close: () => void;
}

export function NewRule({ session, written, close }: NewRuleProps) {
  const { t } = useSpeech();
  return (
    <Detail eyebrow={t('rules.new.about')} title={t('rules.new')} close={close} data={{ 'data-chosen-rule': '' }}>
      <DocumentEditor
        session={session}
        id={null}
        version={0}
        document={BLANK}
        state="draft"
        done={({ id }) => written(id)}
        lookAnew={close}
        cancel={close}
      />
    </Detail>
  );
}
