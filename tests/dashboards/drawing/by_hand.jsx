// Kinds of panels that Grafana's package has no component for, drawn by hand: only their colours are alike.

/** The states of each series as a band of coloured stretches. */
export function Bands({ series, width, height }) {
  const band = height / series.length;
  return (
    <svg width={width} height={height}>
      {series.map(({ fields: [, field] }, row) => {
        const step = (width - 70) / field.values.length;
        return (
          <g key={field.config.displayName} transform={`translate(0 ${row * band})`}>
            <text x="0" y={band / 2} fill="currentColor" fontSize="12">{field.config.displayName}</text>
            {field.values.map((value, at) => value !== null && (
              <rect key={at} x={70 + at * step} y={band * 0.1} width={step + 0.5} height={band * 0.8}
                fill={field.display(value).color} />
            ))}
          </g>
        );
      })}
    </svg>
  );
}

/** Cumulative buckets, nearest bound first, made into counts of their own. */
function rows(series) {
  const bound = (frame) => Number(frame.fields[1].config.displayName.replace('+Inf', 'Infinity'));
  const sorted = [...series].sort((a, b) => bound(a) - bound(b));
  return sorted.map((frame, row) => {
    const below = sorted[row - 1]?.fields[1].values;
    const counts = frame.fields[1].values.map((value, at) => Math.max(0, value - (below?.[at] ?? 0)));
    return { name: frame.fields[1].config.displayName, counts };
  });
}

/** How many of each bucket, the brighter the more. */
export function Heat({ series, width, height }) {
  const all = rows(series);
  const most = Math.max(...all.flatMap(({ counts }) => counts));
  const tall = height / all.length;
  return (
    <svg width={width} height={height}>
      {all.map(({ name, counts }, row) => (
        <g key={name} transform={`translate(0 ${height - (row + 1) * tall})`}>
          <text x="0" y={tall * 0.8} fill="currentColor" fontSize="11">{name}</text>
          {counts.map((count, at) => count > 0 && (
            <rect key={at} x={40 + (at * (width - 40)) / counts.length} y="1" height={tall - 2}
              width={(width - 40) / counts.length} fill="#5794f2" opacity={Math.sqrt(count / most)} />
          ))}
        </g>
      ))}
    </svg>
  );
}
