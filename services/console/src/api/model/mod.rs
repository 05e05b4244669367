//! What the API says, as types: the source of `/openapi.json`. Times are epoch milliseconds unless a name says otherwise.

mod archive;
mod common;
mod numbers;
mod places;
mod session;
mod things;

pub use archive::{RejectCountView, RejectView, RejectsView, ReportView, ReportsView};
pub use common::{AreaRefView, FieldErrorView, ProblemView, TextView};
pub use numbers::{AreaValuesView, FreshnessView, KpiView, MetricView, MetricsView, PointView, SeriesView, Told};
pub use places::{AreaDetailView, AreaView, AreasView, CityView, LayerView, LayersView, LevelView};
pub use session::{SessionRequest, SessionView};
pub use things::{
    AlertView, AlertsNews, AlertsView, EntitiesView, EntityView, KindView, StormView, StormsView, SubjectView,
    ValueView,
};
