// A severity as a shape and a colour: told apart without seeing colours.
import type { Severity } from '../api/types';

const SHAPES: Record<Severity, string> = {
  critical: 'M6 0 12 6 6 12 0 6Z',
  major: 'M6 0.8 12 11.2H0Z',
  minor: 'M1 1h10v10H1Z',
  warning: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Z',
};

export function SeverityMark({ severity, open = true }: { severity: Severity; open?: boolean }) {
  return (
    <svg className="mark" data-severity={severity} data-open={open} viewBox="-1 -1 14 14" aria-hidden="true">
      <path d={SHAPES[severity]} />
    </svg>
  );
}
