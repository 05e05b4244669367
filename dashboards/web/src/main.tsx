import { createRoot } from 'react-dom/client';
import 'maplibre-gl/dist/maplibre-gl.css';
import './styles/tokens.css';
import './styles/layout.css';
import './styles/controls.css';
import './styles/map.css';
import './styles/side.css';
import './styles/rules.css';
import { App } from './app';
import { SpeechProvider } from './i18n';

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <SpeechProvider>
      <App />
    </SpeechProvider>,
  );
}
