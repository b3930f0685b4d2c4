// From what Prometheus answered to the data frames that Grafana's components take.

import { createDataFrame, FieldType, getDisplayProcessor, getMinMaxAndDelta, reduceField } from '@grafana/data';

function called(legend, metric) {
  return legend.replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? '') || 'value';
}

/** The colour that a panel gives a series of that name. */
function ownColor({ overrides }, name) {
  const own = overrides.find(({ matcher }) => matcher.options === name);
  return own?.properties.find(({ id }) => id === 'color')?.value;
}

/** The field settings of a panel, as Grafana fills them in: the first threshold is below everything. */
function settings({ type, fieldConfig }, name) {
  const { defaults } = fieldConfig;
  const steps = defaults.thresholds.steps.map(({ value, color }) => ({ value: value ?? -Infinity, color }));
  const mode = type === 'timeseries' ? 'palette-classic' : 'thresholds';
  const thresholds = { ...defaults.thresholds, steps };
  const color = ownColor(fieldConfig, name) ?? { mode };
  return { color, ...defaults, custom: { ...defaults.custom }, thresholds, displayName: name };
}

/** A frame for each series: points at every second from start to end, those that are not there as null. */
export function frames(panel, { from, to, theme }) {
  const found = panel.targets.flatMap(({ legendFormat, result }) => result.map((series) => ({ legendFormat, ...series })));
  const times = Array.from({ length: to - from + 1 }, (_, at) => (from + at) * 1000);
  return found.map(({ legendFormat, metric, values }, seriesIndex) => {
    const known = new Map(values.map(([time, value]) => [Math.round(time), Number(value)]));
    const points = times.map((time) => {
      const value = known.get(time / 1000);
      return Number.isFinite(value) ? value : null;
    });
    const frame = createDataFrame({
      fields: [
        { name: 'Time', type: FieldType.time, values: times },
        { name: 'Value', type: FieldType.number, values: points, config: settings(panel, called(legendFormat, metric)) },
      ],
    });
    const [, field] = frame.fields;
    field.state = { seriesIndex, range: getMinMaxAndDelta(field) };
    field.display = getDisplayProcessor({ field, theme });
    reduceField({ field, reducers: ['mean', 'max', 'min', 'lastNotNull'] });
    return frame;
  });
}

/** The last value of a frame, as it is shown. */
export function last({ fields: [, field] }) {
  return field.display(field.state.calcs.lastNotNull);
}
