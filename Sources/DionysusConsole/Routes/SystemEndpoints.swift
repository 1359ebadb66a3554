import Dionysus

extension Endpoint {
    static let system: [Endpoint] = [
        page("/system", "Processes, checks, settings and the declaration", isLive: true) { call in
            async let report = SystemReport.read(call.core)
            let audit = call.identity.role == .admin ? await Part.reading { try await entries(call) } : nil
            return .page(.system(await report, audit?.value ?? [], call.frame, call))
        },
        read(
            "/system",
            "Processes, checks, topics, settings and the declaration",
            answer: [
                ("processes", "who is at work"), ("checks", "what the system asks itself, with remedies"),
                ("topics", "as declared and as they are"), ("settings", "without secrets"), ("published", "by topic"),
                ("replicas", "as declared"),
            ]
        ) { call in .json(await SystemReport.read(call.core).json(call.core)) },
        page("/audit", "What people have done", role: .admin) { call in
            .page(.audit(try await entries(call), call.frame))
        },
        read(
            "/audit",
            "What people have done, the newest first",
            role: .admin,
            answer: [("actions", "a list with who, what, filter, count and outcome")]
        ) { call in
            guard let entries = try await entries(call) else {
                throw DionysusError(.declaration, "there is no audit log", advice: "run migrate")
            }
            return .json(.object(["actions": .array(entries.map(\.json))]))
        },
        read("/openapi.json", "This document") { call in
            .json(OpenAPI.document(call.system, basePath: call.core.settings.basePath))
        },
    ]

    /// The last actions on both sides.
    private static func entries(_ call: Call) async throws -> [AuditEntry]? {
        var found: [AuditEntry]?
        let limit = try call.limit()
        for log in [call.core.sourceAudit, call.core.replicaAudit].compactMap(\.self) {
            guard let entries = try await log.entries(limit: limit) else { continue }
            // Both sides may have one database.
            found = (found ?? []) + entries.filter { entry in found?.contains(entry) != true }
        }
        return found.map { Array($0.sorted { ($0.at ?? .now) > ($1.at ?? .now) }.prefix(limit)) }
    }
}
