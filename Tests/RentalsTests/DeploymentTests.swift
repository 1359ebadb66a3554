import Foundation
import TestSupport
import Testing
import Yams

/// The files to deploy by start what the executables offer.
@Suite(.timeLimit(.minutes(10)))
struct DeploymentTests {
    private static let folder = URL(filePath: #filePath).appending(path: "../../../Examples/Deploy").standardized

    private static func files(_ suffix: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(suffix) }.sorted()
    }

    private static func text(_ file: String) throws -> String {
        try String(contentsOf: folder.appending(path: file), encoding: .utf8)
    }

    /// The program that a file is about, and what stands before its commands.
    private static func program(_ file: String) -> (name: String, first: [String]) {
        file.hasPrefix("WithoutCode/") ? ("dionysus", ["-f", Installation.file]) : ("rentals", [])
    }

    /// Whether the arguments of a command are understood: the command may fail, but not as wrong usage.
    private func expectUnderstood(_ command: [String], in file: String) async throws {
        let (program, first) = Self.program(file)
        // Without their file, which is the image's or the unit's.
        let arguments = command.first == "-f" ? Array(command.dropFirst(2)) : command
        try await withTemporaryDirectory { directory in
            let result = try await RunningProcess(
                Installation.executable(named: program).path,
                first + arguments + (["relay", "consume"].contains(arguments.first) ? ["--help"] : []),
                environment: [
                    "SOURCE_DATABASE_URL": "sqlite:\(directory)/a", "REPLICA_DATABASE_URL": "sqlite:\(directory)/b",
                    "DIONYSUS_SEED_BROKER": "embedded:\(directory)/c", "DIONYSUS_HEARTBEAT_DIRECTORY": directory,
                ]
            )
            .result()
            #expect(result.status != 64, "\(file): \(command): \(result.errors)")
        }
    }

    // MARK: Kubernetes

    @Test func `containers in Kubernetes run commands that there are, and probes ask where something answers`()
        async throws
    {
        for file in try Self.files("kubernetes.yaml") {
            let documents = try Yams.load_all(yaml: Self.text(file)).compactMap { $0 as? [String: Any] }
            #expect(documents.count == 3)
            for document in documents {
                #expect(document["apiVersion"] is String && document["kind"] is String)
                let template = (document["spec"] as? [String: Any])?["template"] as? [String: Any]
                let pod = try #require(template?["spec"] as? [String: Any])
                let volumes = Set((pod["volumes"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String })
                for container in try #require(pod["containers"] as? [[String: Any]]) {
                    try await expectUnderstood(try #require(container["args"] as? [String]), in: file)
                    let mounts = container["volumeMounts"] as? [[String: Any]] ?? []
                    #expect(volumes.isSuperset(of: mounts.compactMap { $0["name"] as? String }))
                    try await expectAnswered(container, in: file)
                }
                guard document["kind"] as? String == "Deployment" else { continue }
                let selector = (document["spec"] as? [String: Any])?["selector"] as? [String: [String: String]]
                let labels = (template?["metadata"] as? [String: Any])?["labels"] as? [String: String]
                #expect(selector?["matchLabels"] == labels)
            }
        }
    }

    private func expectAnswered(_ container: [String: Any], in file: String) async throws {
        let ports = (container["ports"] as? [[String: Any]] ?? [])
            .map { ($0["name"] as? String, $0["containerPort"] as? Int) }
        let variables = container["env"] as? [[String: Any]] ?? []
        let port = variables.first { $0["name"] as? String == "DIONYSUS_HTTP_PORT" }?["value"] as? String
        for name in ["startupProbe", "livenessProbe", "readinessProbe"] {
            guard let probe = container[name] as? [String: Any] else { continue }
            if let command = (probe["exec"] as? [String: Any])?["command"] as? [String] {
                try await expectUnderstood(Array(command.dropFirst()), in: file)
            } else {
                let request = try #require(probe["httpGet"] as? [String: Any])
                let path = name == "readinessProbe" ? "/health/ready" : "/health/live"
                #expect(request["path"] as? String == path, "\(file): \(name)")
                let target = ports.first { $0.0 == request["port"] as? String }?.1
                #expect(target != nil && target.map(String.init) == port, "\(file): \(name)")
            }
        }
    }

    // MARK: Compose

    @Test func `services of compose files run commands that there are`() async throws {
        for file in try Self.files("compose.yaml") {
            let document = try #require(try Yams.load(yaml: Self.text(file)) as? [String: Any])
            let services = try #require(document["services"] as? [String: [String: Any]])
            #expect(Set(services.keys).isSuperset(of: ["postgres", "kafka", "migrate", "topics", "relay", "consume"]))
            for (name, service) in services {
                let needed = service["depends_on"] as? [String: Any] ?? [:]
                #expect(Set(services.keys).isSuperset(of: needed.keys), "\(file): \(name)")
                guard let command = service["command"] as? [String] else { continue }
                try await expectUnderstood(command, in: file)
                let check = (service["healthcheck"] as? [String: Any])?["test"] as? [String] ?? []
                guard check.first == "CMD" else { continue }
                try await expectUnderstood(Array(check.dropFirst(2)), in: file)
            }
        }
    }

    // MARK: systemd

    @Test func `systemd takes the units, and they run commands that there are`() async throws {
        let units = try Self.files(".service")
        #expect(units.count == 6)
        for unit in units {
            let line = try Self.text(unit).split(separator: "\n").first { $0.hasPrefix("ExecStart=") }
            let command = try #require(line).dropFirst("ExecStart=".count).split(separator: " ").map(String.init)
            try await expectUnderstood(Array(command.dropFirst()), in: unit)
        }
        try await expectVerified(units)
    }

    /// Asks systemd, where it is installed, about the units with executables that there are here.
    private func expectVerified(_ units: [String]) async throws {
        let program = "/usr/bin/systemd-analyze"
        guard FileManager.default.isExecutableFile(atPath: program) else { return }
        try await withTemporaryDirectory { directory in
            let copies = try units.map { unit in
                // Of a template, one of its units is asked about.
                let name = (unit as NSString).lastPathComponent.replacing("@.", with: "@1.")
                let text = try Self.text(unit).replacing(/\/usr\/local\/bin\/[a-z]+/, with: "/bin/true")
                try text.write(toFile: "\(directory)/\(name)", atomically: true, encoding: .utf8)
                return "\(directory)/\(name)"
            }
            let result = try await RunningProcess(program, ["verify"] + copies, environment: [:]).result()
            let complaints = result.errors.split(separator: "\n").filter { $0.contains(directory) }
            #expect(complaints.isEmpty, "\(complaints.joined(separator: "\n"))")
        }
    }
}
