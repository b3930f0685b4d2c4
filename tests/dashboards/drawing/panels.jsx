// Which component draws which kind of panel.

import { dateTime } from '@grafana/data';
import { BarGauge, BigValue, TimeSeries } from '@grafana/ui';

import { frames, last } from './frames.mjs';
import { Bands, Heat } from './by_hand.jsx';

function range(from, to) {
  const [start, end] = [dateTime(from * 1000), dateTime(to * 1000)];
  return { from: start, to: end, raw: { from: start, to: end } };
}

function Stat({ panel, series, width, height, theme }) {
  const [first] = series;
  const [, field] = first.fields;
  const sparkline = panel.options.graphMode === 'area' ? { y: field, x: first.fields[0] } : undefined;
  // A stat of one value has no name of its own beside the title.
  const value = { ...last(first), title: '' };
  return <BigValue {...{ value, sparkline, width, height, theme, ...panel.options }} />;
}

function Bars({ panel, series, width, height, theme }) {
  const each = height / series.length;
  const alignmentFactors = { title: 'memory...', text: '100.0', suffix: '%' };
  const set = { displayMode: panel.options.displayMode, orientation: 'horizontal', showUnfilled: true };
  return series.map((frame) => {
    const [, field] = frame.fields;
    const value = { ...last(frame), title: field.config.displayName };
    return (
      <div key={value.title} style={{ height: each }}>
        <BarGauge {...{ value, width, theme, alignmentFactors, ...set }} height={each / 2}
          field={field.config} display={field.display} />
      </div>
    );
  });
}

// Grafana's own measure is of a font that is not here.
const roomier = (axis) => (axis.scaleKey === 'x' ? axis : { ...axis, size: 64 });

function Lines({ panel, series, width, height, from, to }) {
  const timeRange = range(from, to);
  return (
    <TimeSeries frames={series} timeZone="utc" tweakAxis={roomier} legend={panel.options.legend} options={panel.options}
      {...{ timeRange, width, height }} />
  );
}

function Table({ panel }) {
  const [{ result }] = panel.targets;
  return (
    <table style={{ width: '100%' }}>
      <tbody>
        <tr><th>version</th><th>processes</th></tr>
        {result.map(({ metric, values }) => (
          <tr key={metric.version}><td>{metric.version}</td><td>{values.at(-1)[1]}</td></tr>
        ))}
      </tbody>
    </table>
  );
}

const KINDS = { stat: Stat, bargauge: Bars, timeseries: Lines, table: Table, heatmap: Heat, 'state-timeline': Bands };

export function Content(props) {
  const Kind = KINDS[props.panel.type];
  const series = frames(props.panel, props);
  if (series.length === 0) return <div style={{ opacity: 0.6, padding: 8 }}>No data</div>;
  return <Kind {...props} series={series} />;
}
