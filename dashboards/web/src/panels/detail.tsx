// The frame of what was chosen: what it is, its name, the way out. Escape closes it.
import { useEffect, useRef, type ReactNode } from 'react';
import { useSpeech } from '../i18n';

interface DetailProps {
  eyebrow: ReactNode;
  title: string;
  close: () => void;
  children: ReactNode;
  /** what is shown, for whoever looks the page over by program */
  data: { 'data-area'?: string; 'data-entity'?: string; 'data-chosen-alert'?: string; 'data-chosen-rule'?: string };
}

export function Detail({ eyebrow, title, close, children, data }: DetailProps) {
  const { t } = useSpeech();
  const latest = useRef(close);
  useEffect(() => {
    latest.current = close;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const writes = event.target instanceof HTMLElement && event.target.matches('input, select, textarea');
      if (event.key === 'Escape' && !writes) latest.current();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  return (
    <section className="detail" aria-labelledby="detail-title" {...data}>
      <header className="panel-head">
        <div className="detail-names">
          <p className="eyebrow">{eyebrow}</p>
          <h2 id="detail-title">{title}</h2>
        </div>
        <button type="button" className="button small" onClick={close} data-do="close">
          {t('panel.close')}
        </button>
      </header>
      <div className="detail-body">{children}</div>
    </section>
  );
}
