import Foundation
import TestSupport
import Testing

/// What a service logs at its start.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct AnnouncementTests {
    @Test("a service logs once its databases and broker, and its unverified connections")
    func cautions() async throws {
        // Documentation addresses, where nobody answers.
        let cases: [(source: String?, broker: String?, settings: String, expected: [String])] = [
            (nil, nil, "", []),
            (nil, "127.0.0.1:1", "", []),
            (
                nil, "localhost:1;[::1]:2",
                "security.protocol=sasl_plaintext;sasl.mechanism=PLAIN;sasl.username=me;sasl.password=hush", []
            ),
            (nil, "192.0.2.1:1", "", ["neither encrypted nor verified"]),
            (
                nil, "127.0.0.1:1;192.0.2.1:1",
                "security.protocol=sasl_plaintext;sasl.mechanism=PLAIN;sasl.username=me;sasl.password=hush",
                ["are not encrypted, credentials included"]
            ),
            (
                nil, "192.0.2.1:1", "security.protocol=ssl;enable.ssl.certificate.verification=false",
                ["certificates of Kafka at 192.0.2.1:1 are not verified"]
            ),
            (
                nil, "192.0.2.1:1", "security.protocol=SSL;ssl.endpoint.identification.algorithm=none",
                ["accepted for any host"]
            ),
            (nil, "192.0.2.1:1", "security.protocol=ssl", []),
            ("postgres://me:hush@192.0.2.1:1/shop", nil, "", ["isn't verified (sslmode=prefer)"]),
            ("postgres://me:hush@192.0.2.1:1/shop?sslmode=require", nil, "", ["isn't verified (sslmode=require)"]),
            ("postgres://me:hush@192.0.2.1:1/shop?sslmode=verify-ca", nil, "", ["isn't verified (sslmode=verify-ca)"]),
            ("postgres://me:hush@127.0.0.1,192.0.2.1/shop?sslmode=require", nil, "", ["isn't verified"]),
            ("postgres://me:hush@127.0.0.1/shop?hostaddr=192.0.2.1", nil, "", ["isn't verified"]),
            ("postgres://me:hush@192.0.2.1:1/shop?sslmode=verify-full", nil, "", []),
            ("postgres://me:hush@127.0.0.1:1/shop", nil, "", []),
            ("postgres://me:hush@/shop?host=/nowhere", nil, "", []),
        ]
        for (source, broker, settings, expected) in cases {
            try await Installation.with(.embedded) { installation in
                try await withTemporaryDirectory { heartbeats in
                    try await installation.succeed("migrate")
                    var own = installation
                    if let source { own.environment["SOURCE_DATABASE_URL"] = source }
                    if let broker { own.environment["DIONYSUS_SEED_BROKER"] = broker }
                    own.environment["DIONYSUS_BROKER_SETTINGS"] = settings
                    own.environment["DIONYSUS_HEARTBEAT_DIRECTORY"] = heartbeats
                    own.environment["PGCONNECT_TIMEOUT"] = "2"
                    let relay = try own.start("relay")
                    try await own.wait(for: 0, "health", "relay", "--live")
                    let result = await relay.terminate(within: .seconds(20))
                    let warnings = result.errors.split(separator: "\n")
                        .filter { $0.contains("erified") || $0.contains("ncrypted") || $0.contains("any host") }
                    #expect(warnings.count == expected.count, "\(result.errors)")
                    for text in expected {
                        #expect(warnings.contains { $0.contains(text) }, "\(text): \(result.errors)")
                    }
                    #expect(result.errors.contains(": relay of "), "\(result.errors)")
                    #expect(!result.errors.contains("hush"))
                }
            }
        }
    }
}
