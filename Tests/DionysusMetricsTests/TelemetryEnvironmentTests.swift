import DionysusMetrics
import Testing

struct TelemetryEnvironmentTests {
    private func read(_ environment: [String: String]) -> TelemetryEnvironment {
        TelemetryEnvironment(environment, serviceName: "bookings", serviceVersion: "2.1")
    }

    @Test func nothingIsSentUnlessSomebodySaysWhereTo() {
        let environment = read(["OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTHER": "x"])
        #expect(!environment.settings.sends)
        #expect(environment.settings.servesMetrics)
        #expect(environment.faults.isEmpty)
        #expect(environment.settings.resource["service.name"] == "bookings")
        #expect(environment.settings.resource["service.version"] == "2.1")
    }

    @Test func oneEndpointIsForAll() {
        let settings = read([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/base/",
            "OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=a%20b, x=y=z",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
        ])
        .settings
        var expected = OTLPEndpoint(url: "http://collector:4318/base/v1/traces")
        expected.headers = ["api-key": "a b", "x": "y=z"]
        expected.timeout = .milliseconds(2_500)
        expected.compresses = true
        expected.authoritiesFile = "/ca.pem"
        #expect(settings.traces == expected)
        #expect(settings.metrics?.url == "http://collector:4318/base/v1/metrics")
        #expect(settings.logs?.url == "http://collector:4318/base/v1/logs")
    }

    @Test func whatIsSaidOfOneKindCountsForIt() {
        let settings = read([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://traces/x",
            "OTEL_EXPORTER_OTLP_HEADERS": "a=1", "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "b=2",
            "OTEL_METRICS_EXPORTER": "none",
        ])
        .settings
        #expect(settings.traces?.url == "https://traces/x")
        #expect(settings.traces?.headers == ["a": "1"])
        #expect(settings.logs?.headers == ["b": "2"])
        #expect(settings.metrics == nil && !settings.servesMetrics)
    }

    @Test func exportersAreNamed() {
        let settings = read(["OTEL_METRICS_EXPORTER": "prometheus, otlp", "OTEL_TRACES_EXPORTER": "otlp"]).settings
        #expect(settings.servesMetrics)
        #expect(settings.metrics?.url == "http://localhost:4318/v1/metrics")
        #expect(settings.traces?.url == "http://localhost:4318/v1/traces")
        #expect(settings.logs == nil)
        let scraped = read(["OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"]).settings
        #expect(scraped.metrics == nil && scraped.servesMetrics && scraped.traces != nil)
    }

    @Test func allCanBeTurnedOff() {
        let settings = read(["OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"]).settings
        #expect(!settings.sends && !settings.servesMetrics)
    }

    @Test func theServiceIsNamed() {
        let named = read(["OTEL_RESOURCE_ATTRIBUTES": "service.name=a,deployment.environment.name=test%2Ceu"])
        #expect(named.settings.resource["service.name"] == "a")
        #expect(named.settings.resource["deployment.environment.name"] == "test,eu")
        let both = read(["OTEL_RESOURCE_ATTRIBUTES": "service.name=a", "OTEL_SERVICE_NAME": "b"])
        #expect(both.settings.resource["service.name"] == "b")
    }

    @Test(
        arguments: [
            ("always_on", nil, Sampler.alwaysOn), ("always_off", nil, .alwaysOff),
            ("traceidratio", "0.25", .ratio(0.25)),
            ("traceidratio", nil, .ratio(1)), ("parentbased_always_off", nil, .parentBased(.alwaysOff)),
            ("parentbased_traceidratio", "0.5", .parentBased(.ratio(0.5))),
        ] as [(String, String?, Sampler)]
    )
    func samplersHaveTheirNames(_ name: String, _ argument: String?, _ sampler: Sampler) {
        var variables = ["OTEL_TRACES_SAMPLER": name]
        variables["OTEL_TRACES_SAMPLER_ARG"] = argument
        #expect(read(variables).settings.sampler == sampler)
    }

    @Test func queuesAndLimitsAreSet() {
        let settings = read([
            "OTEL_METRIC_EXPORT_INTERVAL": "1000", "OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_SCHEDULE_DELAY": "7",
            "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "3", "OTEL_SPAN_LINK_COUNT_LIMIT": "4",
            "OTEL_METRICS_EXEMPLAR_FILTER": "always_off",
        ])
        .settings
        #expect(settings.metricInterval == .seconds(1))
        #expect(settings.spanQueue.capacity == 100 && settings.spanQueue.batchSize == 100)
        #expect(settings.spanQueue.delay == .milliseconds(7))
        #expect(settings.logQueue.batchSize == 3)
        #expect(settings.spanLimits.links == 4)
        #expect(!settings.hasExemplars)
    }

    @Test(
        arguments: [
            ("OTEL_TRACES_SAMPLER", "some"), ("OTEL_METRIC_EXPORT_INTERVAL", "-1"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "99999999999999999999"),
            ("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_RESOURCE_ATTRIBUTES", "secret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "br"),
            ("OTEL_PROPAGATORS", "b3"),
            ("OTEL_METRICS_EXEMPLAR_FILTER", "x"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ]
    )
    func whatCannotBeUnderstoodIsNamedAndCountsAsAbsent(_ name: String, _ value: String) {
        let environment = read([name: value, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"])
        #expect(environment.faults.count == 1)
        #expect(environment.faults.allSatisfy { $0.contains(name) && !$0.contains("secret") })
        #expect(environment.settings.traces?.timeout == .seconds(10))
        #expect(environment.settings.sampler == .parentBased(.alwaysOn))
    }
}
