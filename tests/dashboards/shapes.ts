// The shapes that the boards are held against: Grafana's own types, of the panels in use.

import type * as bargauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type { Dashboard, GraphFieldConfig, TableFieldOptions } from '@grafana/schema';

/** A board, and what panels of each type say of themselves. */
export interface Shapes {
  board: Dashboard;
  options: {
    bargauge: Partial<bargauge.Options>;
    heatmap: Partial<heatmap.Options>;
    stat: Partial<stat.Options>;
    'state-timeline': Partial<timeline.Options>;
    table: Partial<table.Options>;
    timeseries: Partial<timeseries.Options>;
  };
  custom: {
    bargauge: Record<string, never>;
    heatmap: Partial<heatmap.FieldConfig>;
    stat: Record<string, never>;
    'state-timeline': Partial<timeline.FieldConfig>;
    table: Partial<TableFieldOptions>;
    timeseries: Partial<GraphFieldConfig>;
  };
}
