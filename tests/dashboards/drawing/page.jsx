// The page that is photographed: a board's panels at their places, drawn by Grafana's components.

import { createTheme, EventBusSrv, ThemeContext } from '@grafana/data';
import { GlobalStyles, PanelChrome, PanelContextProvider } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import 'uplot/dist/uPlot.min.css';

import { Content } from './panels.jsx';

// Grafana's grid: 24 columns, rows of 30 pixels, 8 between them.
const WIDTH = 1320;
const COLUMN = (WIDTH + 8) / 24;
const ROW = 38;

function place({ x, y, w, h }) {
  return { left: x * COLUMN, top: y * ROW, width: w * COLUMN - 8, height: h * ROW - 8 };
}

function Board({ board, from, to, theme }) {
  const rows = Math.max(...board.panels.map(({ gridPos: { y, h } }) => y + h));
  return (
    <div id="board" style={{ position: 'relative', width: WIDTH, height: rows * ROW - 8 }}>
      {board.panels.map((panel) => {
        const { left, top, width, height } = place(panel.gridPos);
        return (
          <div key={panel.id} style={{ position: 'absolute', left, top }}>
            <PanelChrome title={panel.title} width={width} height={height}>
              {(inner, tall) => <Content {...{ panel, from, to, theme }} width={inner} height={tall} />}
            </PanelChrome>
          </div>
        );
      })}
    </div>
  );
}

window.draw = ({ board, from, to, mode }) => {
  const theme = createTheme({ colors: { mode } });
  const context = { eventsScope: 'board', eventBus: new EventBusSrv() };
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PanelContextProvider value={context}>
        <Board {...{ board, from, to, theme }} />
      </PanelContextProvider>
    </ThemeContext.Provider>,
  );
};
