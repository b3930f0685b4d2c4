//! The `OTEL_*` variables of `OpenTelemetry`, as values for keys of `[traces]` that nothing else sets.
//!
//! They are often set for other programs. A value that cannot be used is a warning, never an error.
//! Source: <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>.

use std::time::Duration;

use super::base_url;
use super::read::Override;
use super::traces::{Attributes, SecretHeaders, Share};
use super::units::Setting;

/// The beginning of the names of the variables.
pub(super) const PREFIX: &str = "OTEL_";

/// The default path of OTLP below the endpoint of all signals.
const PATH: &str = "/v1/traces";

/// The values of the variables, and warnings about those that are not used.
#[derive(Debug, Default)]
pub struct Otel {
    /// Values for keys of `[traces]`.
    pub overrides: Vec<Override>,
    /// Why a variable is not used, and what to do.
    pub warnings: Vec<String>,
}

/// The values in variables of these names and texts. `is_with_endpoint`: a key of larder's names the
/// collector.
pub(super) fn read(variables: &[(String, String)], is_with_endpoint: bool) -> Otel {
    let mut reading = Reading { variables, otel: Otel::default() };
    if reading.is_off() {
        return reading.otel;
    }
    if is_with_endpoint || reading.endpoint() {
        reading.others();
    }
    reading.otel
}

struct Reading<'v> {
    variables: &'v [(String, String)],
    otel: Otel,
}

impl<'v> Reading<'v> {
    /// The first of these variables that is set.
    fn first(&self, names: &[&'static str]) -> Option<(&'static str, &'v str)> {
        names.iter().find_map(|name| {
            let (_, text) = self.variables.iter().find(|(own, _)| own == name)?;
            Some((*name, text.as_str()))
        })
    }

    fn set(&mut self, key: &str, (name, text): (&str, &str)) {
        let (key, text) = (format!("traces.{key}"), text.to_owned());
        self.otel.overrides.push(Override { key, text, place: name.to_owned() });
    }

    /// Sets a key to the value of a variable, if its type can read it.
    fn take<T: Setting>(&mut self, key: &str, (name, text): (&str, &str)) {
        match T::parse(text) {
            Ok(_) => self.set(key, (name, text)),
            Err(message) => self.warn(name, &message),
        }
    }

    fn warn(&mut self, name: &str, message: &str) {
        self.otel.warnings.push(format!("{name} is not used: {message}"));
    }

    /// Whether the variables ask for no traces.
    fn is_off(&self) -> bool {
        let is = |name, value: &str| {
            self.first(&[name]).is_some_and(|(_, text)| text.trim().eq_ignore_ascii_case(value))
        };
        is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none")
    }

    /// Sets the collector; false if there is none that can be used.
    fn endpoint(&mut self) -> bool {
        let own = self.first(&["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]);
        let Some((name, url)) = own.or_else(|| self.first(&["OTEL_EXPORTER_OTLP_ENDPOINT"])) else {
            return false;
        };
        if let Err(message) = base_url::check(url) {
            self.warn(name, &message);
            return false;
        }
        let protocol = self.protocol();
        if protocol.is_some_and(|(_, text)| text == "grpc") {
            let message = "larder exports OTLP over HTTP, and gRPC is asked for; set LARDER_TRACES_ENDPOINT to \
                           the collector's HTTP port, such as http://HOST:4318";
            self.warn(name, message);
            return false;
        }
        match own {
            // The endpoint of a signal is the whole URL.
            Some(_) => {
                let base = url.strip_suffix(PATH);
                self.set("endpoint", (name, base.unwrap_or(url)));
                self.set("path", (name, if base.is_some() { PATH } else { "" }));
            }
            None => self.set("endpoint", (name, url)),
        }
        true
    }

    fn protocol(&self) -> Option<(&'static str, &'v str)> {
        self.first(&["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"])
    }

    fn others(&mut self) {
        if let Some((name, text)) = self.protocol() {
            match text {
                "http/protobuf" | "http/json" => self.set("protocol", (name, text)),
                _ => self.warn(name, "larder exports http/protobuf or http/json"),
            }
        }
        if let Some(found) =
            self.first(&["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"])
        {
            self.take::<SecretHeaders>("headers", found);
        }
        if let Some((name, text)) =
            self.first(&["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"])
        {
            match text.trim() {
                "0" => self.warn(name, "a message needs some time"),
                text => self.take::<Duration>("timeout", (name, &format!("{text}ms"))),
            }
        }
        if let Some((name, _)) =
            self.first(&["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"])
        {
            self.warn(
                name,
                "larder trusts the certificates of the system; add the collector's to them",
            );
        }
        self.resource();
        self.sampler();
    }

    fn resource(&mut self) {
        let service = self.first(&["OTEL_SERVICE_NAME"]);
        if let Some(found) = service {
            self.set("service_name", found);
        }
        let Some((name, text)) = self.first(&["OTEL_RESOURCE_ATTRIBUTES"]) else { return };
        self.take::<Attributes>("attributes", (name, text));
        let Ok(Attributes(pairs)) = Attributes::parse(text) else { return };
        let named = pairs.iter().find(|(key, _)| key == "service.name");
        if let (None, Some((_, service))) = (service, named) {
            self.set("service_name", (name, service));
        }
    }

    /// Every sampler here is based on the parent: the flag of a client's `traceparent` comes first.
    fn sampler(&mut self) {
        let Some((name, sampler)) = self.first(&["OTEL_TRACES_SAMPLER"]) else { return };
        match sampler.trim_start_matches("parentbased_") {
            "always_on" => self.set("sample", (name, "1")),
            "always_off" => self.set("sample", (name, "0")),
            "traceidratio" => {
                let argument = self.first(&["OTEL_TRACES_SAMPLER_ARG"]);
                self.take::<Share>("sample", argument.unwrap_or((name, "1")));
            }
            _ => self
                .warn(name, "known are always_on, always_off and traceidratio, also parentbased_"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> (Vec<(String, String)>, Vec<String>) {
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let variables: Vec<_> = variables.iter().map(own).collect();
        let Otel { overrides, warnings } = read(&variables, false);
        let keys = overrides.into_iter().map(|over| (over.key.replace("traces.", ""), over.text));
        (keys.collect(), warnings)
    }

    #[test]
    fn the_variables_of_a_signal_come_before_those_of_all() {
        let (keys, warnings) = of(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://own/otel/v1/traces"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=web,deployment.environment=a%20b"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ]);
        let expected = [
            ("endpoint", "https://own/otel"),
            ("path", "/v1/traces"),
            ("protocol", "http/json"),
            ("headers", "b=2"),
            ("timeout", "1500ms"),
            ("attributes", "service.name=web,deployment.environment=a%20b"),
            ("service_name", "web"),
            ("sample", "0.25"),
        ];
        assert_eq!(keys, expected.map(|(key, text)| (key.to_owned(), text.to_owned())));
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn what_cannot_be_used_is_a_warning_and_no_traces() {
        let at = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317");
        let (keys, warnings) = of(&[at, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
        assert!(keys.is_empty() && warnings[0].contains("LARDER_TRACES_ENDPOINT"), "{warnings:?}");
        for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert_eq!(of(&[at, off]), (Vec::new(), Vec::new()));
        }
        // Without a collector the others are for other programs.
        assert_eq!(of(&[("OTEL_SERVICE_NAME", "web")]), (Vec::new(), Vec::new()));
        for wrong in [
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "key"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a"),
        ] {
            let (keys, warnings) = of(&[at, wrong]);
            assert_eq!((keys.len(), warnings.len()), (1, 1), "{warnings:?}");
        }
    }
}
