import Dionysus

extension Registry {
    /// What of the ways in which models are captured contradicts itself, a line each.
    var captureFaults: [String] {
        let models = models
        var faults: [String] = []
        for (table, models) in Dictionary(grouping: models, by: \.table).sorted(by: { $0.key < $1.key })
        where Set(models.map(\.captureMethod)).count > 1 {
            let names = models.map(\.name).joined(separator: ", ")
            faults.append("models \(names) share table \(table), but not their captureMethod: give them the same")
        }
        guard !changesetKeys.isEmpty else { return faults }
        for model in models where model.changeset == .values && model.captureMethod == .triggers {
            faults.append(
                "model \(model): triggers have no key to encrypt the values of changesets with: "
                    + "choose captureMethod application, or changeset names, or configure no keys"
            )
        }
        return faults
    }
}
