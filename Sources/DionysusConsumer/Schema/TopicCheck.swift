import Dionysus

extension ReplicaCheck {
    /// Topics of which nothing can be kept, and tables of the convention that can't keep what their topic has, a line each.
    ///
    /// A topic that names no models is taken to have the one of its name; one that accepts any may have whatever the
    /// replica has tables for.
    func topicFaults(in transaction: inout Transaction) throws -> [String] {
        var faults: [String] = []
        for (name, topic) in zip(plan.names, plan.all) where !topic.models.acceptsAny {
            let scope = factory.scope(of: topic.namespace)
            var (isKept, isMeant) = (false, false)
            var lacking: [String] = []
            for model in ModelClaims.models(of: topic, settings.inflection).sorted() {
                guard !factory.ignores(model, in: scope), let replica = factory.replica(of: model, in: scope) else {
                    isMeant = true
                    continue
                }
                guard replica.customStorage == nil, let table = replica.table else {
                    isKept = true
                    continue
                }
                guard let description = try transaction.describe(table: table) else {
                    lacking.append("there is no table \(table) for the model \(model)")
                    continue
                }
                isKept = true
                guard !isListed(model, in: scope) else { continue }
                faults += self.faults(
                    of: replica,
                    description,
                    transaction.dialect,
                    "topic \(name), model \(model): table \(description.name)"
                )
            }
            guard !isKept, !isMeant, topic.handlers.isEmpty, topic.messageHandlers.isEmpty,
                topic.eventIdentity == nil,
                try !keepsOthers(topic, scope, in: &transaction)
            else { continue }
            faults.append(
                "topic \(name): nothing of it can be kept\(lacking.isEmpty ? "" : ", since \(lacking.joined(separator: ", "))"). "
                    + "Create the table, declare Persist or Ignore for the model, name other models (accepting:), or give "
                    + "the topic a handler"
            )
        }
        return faults
    }

    /// Whether the declaration has the model, so that its table is compared with that.
    private func isListed(_ model: String, in scope: String?) -> Bool {
        factory.scopes.contains { part in
            (part.namespace == nil || part.namespace == scope) && part.models.contains { $0.remoteName == model }
        }
    }

    /// Whether a topic that names no models may write other ones that are declared.
    private func keepsOthers(
        _ topic: ConsumerTopic,
        _ scope: String?,
        in transaction: inout Transaction
    ) throws -> Bool {
        if case .only = topic.models.choice { return false }
        for part in factory.scopes where part.namespace == nil || part.namespace == scope {
            for model in part.models where topic.acceptance?.accepts(model.remoteName) != false {
                if model.customStorage != nil { return true }
                if let table = model.table, try transaction.describe(table: table) != nil { return true }
            }
        }
        return false
    }
}
