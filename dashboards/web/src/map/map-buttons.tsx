// Zoom and the way back to the whole city. Our own, because MapLibre's icons are data: images, which the content security
// policy refuses.
import { useSpeech } from '../i18n';

interface MapButtonsProps {
  zoom: (steps: number) => void;
  fit: () => void;
}

function Icon({ path }: { path: string }) {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

export function MapButtons({ zoom, fit }: MapButtonsProps) {
  const { t } = useSpeech();
  return (
    <div className="map-buttons">
      <button type="button" aria-label={t('map.zoom_in')} title={t('map.zoom_in')} onClick={() => zoom(1)}>
        <Icon path="M8 3v10M3 8h10" />
      </button>
      <button type="button" aria-label={t('map.zoom_out')} title={t('map.zoom_out')} onClick={() => zoom(-1)}>
        <Icon path="M3 8h10" />
      </button>
      <button type="button" aria-label={t('map.fit')} title={t('map.fit')} onClick={fit} data-do="fit">
        <Icon path="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" />
      </button>
    </div>
  );
}
