//! Many recipes that differ little, in a file: each as what differs from one before it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::{Map, Value};

type Fields = Map<String, Value>;

/// A recipe as one before it with other values; `null` takes a field away.
#[derive(Debug, Serialize, Deserialize)]
struct Delta {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    like: Option<usize>,
    with: Fields,
}

fn delta(from: &Fields, to: &Fields) -> Fields {
    let gone = from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let new = to.iter().filter(|(key, value)| from.get(*key) != Some(value));
    gone.chain(new.map(|(key, value)| (key.clone(), value.clone()))).collect()
}

/// The same as `delta(from, to).len()`, without the copies.
fn distance(from: &Fields, to: &Fields) -> usize {
    let gone = from.keys().filter(|key| !to.contains_key(*key)).count();
    gone + to.iter().filter(|(key, value)| from.get(*key) != Some(value)).count()
}

pub(crate) fn serialize<S: Serializer>(recipes: &[Fields], serializer: S) -> Result<S::Ok, S::Error> {
    let one = |(i, recipe): (usize, &Fields)| {
        let nearest = (0..i).min_by_key(|j| distance(&recipes[*j], recipe));
        match nearest.filter(|j| distance(&recipes[*j], recipe) < recipe.len()) {
            Some(j) => Delta { like: Some(j), with: delta(&recipes[j], recipe) },
            None => Delta { like: None, with: recipe.clone() },
        }
    };
    serializer.collect_seq(recipes.iter().enumerate().map(one))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Fields>, D::Error> {
    let mut recipes: Vec<Fields> = Vec::new();
    for Delta { like, with } in Vec::<Delta>::deserialize(deserializer)? {
        let mut recipe = match like {
            Some(j) => {
                recipes.get(j).cloned().ok_or_else(|| D::Error::custom("like a recipe that is not there"))?
            }
            None => Fields::new(),
        };
        recipe.extend(with);
        recipe.retain(|_, value| !value.is_null());
        recipes.push(recipe);
    }
    Ok(recipes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Kept {
        #[serde(with = "super")]
        recipes: Vec<Fields>,
    }

    #[test]
    fn recipes_come_back_as_they_were() {
        let texts = [
            r#"{}"#,
            r#"{"a":1,"b":2.5,"c":"x"}"#,
            r#"{"a":1,"c":"x"}"#,
            r#"{"a":7,"c":"x","d":true}"#,
            r#"{"z":1}"#,
        ];
        let recipes = texts.map(|text| serde_json::from_str(text).expect("fields")).to_vec();
        let kept = Kept { recipes };
        let text = serde_json::to_value(&kept).expect("JSON");
        assert_eq!(text["recipes"][2], json!({"like": 1, "with": {"b": null}}));
        assert_eq!(text["recipes"][3], json!({"like": 2, "with": {"a": 7, "d": true}}));
        assert_eq!(text["recipes"][4], json!({"with": {"z": 1}}));
        assert_eq!(serde_json::from_value::<Kept>(text).expect("recipes"), kept);
        let wrong = json!({"recipes": [{"like": 0, "with": {}}]});
        assert!(serde_json::from_value::<Kept>(wrong).is_err());
    }
}
